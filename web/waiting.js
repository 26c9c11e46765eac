/*
 * The waiting page: joins the queue, shows the place, goes on when the pass is there.
 *
 *     POST   <queues>S          joins; 202 a place, 200 a pass (and its cookie)
 *     GET    <queues>S          the same without joining; 404 not_waiting
 *     DELETE <queues>S          leaves
 *     GET    <queues>S/events   server-sent events: position, pass, closed, reload
 *
 * News come by the stream; where it is not to be had they are asked for every poll_after_ms. The page joins when it
 * is loaded and when its button is pressed, never by itself otherwise: who left in one tab has left in all.
 */

'use strict';

(() => {
    const words = window.waitingWords;
    const queues = document.currentScript.dataset.queues || '/queues/';
    const query = new URLSearchParams(location.search);
    const queue = query.get('queue') || '';
    const address = queues + encodeURIComponent(queue);
    const el = (id) => document.getElementById(id);

    const ASK_TIMEOUT = 15000;  // ms until an answer is not waited for any more
    const QUIET = 45000;        // ms without news after which the stream is not trusted alone
    const STREAM_TRIES = 3;     // failures in a row after which it is done without the stream for a while
    const STREAM_REST = 120000; // ms, that while
    const GRACE = 2000;         // ms a connection may be away before that is said
    const QUICK = 30000;        // ms: being sent back here LOOPS times within them is a circle
    const LOOPS = 3;

    let state = '';         // what room.dataset.state says
    let place = null;       // the latest 202
    let newsAt = 0;         // when it came, performance.now()
    let stream = null;
    let streamFailures = 0; // since the stream last brought anything
    let streamAfter = 0;    // not before, performance.now()
    let failures = 0;       // of requests, in a row
    let joining = false;    // until a POST was answered
    let clockOffset = 0;    // server's clock - ours, ms
    let asking = false;
    let askAgain = false;   // news came while we asked
    let losing = false;     // away, but not for so long that it has been said
    const timers = {};

    // later(name, ms, f): f once, instead of what was set under that name before
    function later(name, ms, f) {
        clearTimeout(timers[name]);
        timers[name] = setTimeout(f, ms);
    }

    function never(...names) {
        for (const name of names) clearTimeout(timers[name]);
    }

    // ---------------------------------------------------------------- where to go on

    // A path of this site and nothing else. The browser itself is asked, too, what it would make of it: it drops tabs
    // and new lines, and takes a backslash for a slash.
    function ownPage(path) {
        if (!path || !/^\/(?![/\\])/.test(path) || /[\\\u0000-\u001f\u007f]/.test(path)) return '/';
        let url;
        try {
            url = new URL(path, location.origin);
        } catch {
            return '/';
        }
        if (url.origin !== location.origin || url.pathname === location.pathname) return '/';
        return url.href;
    }

    const goal = ownPage(query.get('return'));

    // Sent back here again and again (a site that does not see the cookie), we leave it to the user to go.
    function circles() {
        const name = `ticket-waiting-went:${queue}`;
        try {
            const went = JSON.parse(sessionStorage.getItem(name) || '[]').filter((at) => Date.now() - at < QUICK);
            sessionStorage.setItem(name, JSON.stringify([...went, Date.now()]));
            return went.length >= LOOPS;
        } catch {
            return false;
        }
    }

    function goOn() {
        end('admitted');
        if (circles()) {
            note('trouble', words.loop);
            el('go').hidden = false;
        } else {
            say(words.turn);
            location.replace(goal);
        }
    }

    // ---------------------------------------------------------------- asking

    // ask(METHOD): {status, body, after}; status 0 when there was no answer, after in ms as Retry-After has it
    async function ask(method) {
        const abort = new AbortController();
        const timer = setTimeout(() => abort.abort(), ASK_TIMEOUT);
        try {
            const answer = await fetch(address, {
                method, credentials: 'same-origin', cache: 'no-store', signal: abort.signal,
                headers: { Accept: 'application/json' },
            });
            const date = Date.parse(answer.headers.get('Date'));
            if (date) clockOffset = date - Date.now();
            const after = Number(answer.headers.get('Retry-After')) * 1000 || 0;
            return { status: answer.status, body: await answer.json().catch(() => ({})), after };
        } catch {
            return { status: 0, body: {}, after: 0 };
        } finally {
            clearTimeout(timer);
        }
    }

    // refresh(): ask for the place (or for one, while joining) and act upon the answer
    async function refresh() {
        askAgain = asking;
        if (asking) return;
        asking = true;
        never('poll');
        const method = joining ? 'POST' : 'GET';
        const answer = await ask(method);
        asking = false;
        if (askAgain) return refresh();
        // left meanwhile: a late answer must not bring the line back
        if (joining || alive()) take(answer);
    }

    function take({ status, body, after }) {
        const ends = { closed: status === 403 && body.code === 'queue_closed',
            gone: status === 404 && body.code === 'not_waiting',
            unknown: status === 404 || status === 400,
            stranger: status === 401 };
        const found = Object.keys(ends).find((name) => ends[name]);

        if (status === 200 && body.state === 'admitted') return goOn();
        if (found) return end(found);
        if (status === 202) {
            joining = false;
            // it was not the stream's fault then
            if (failures) streamAfter = 0;
            failures = 0;
            show(body);
            listen();
            return;
        }
        failures++;
        lost();
        later('poll', Math.max(after, backOff(failures)), refresh);
    }

    // 1, 2, 4 … 30 s, each anything from half of it to one and a half
    const backOff = (n) => Math.min(30, 2 ** (n - 1)) * 1000 * (0.5 + Math.random());

    // ---------------------------------------------------------------- the stream

    function listen() {
        if (!window.EventSource || (!stream && performance.now() < streamAfter)) {
            later('poll', place.poll_after_ms || 5000, refresh);
            return;
        }
        later('quiet', QUIET, doubt);
        if (stream) return;

        stream = new EventSource(`${address}/events`);
        stream.addEventListener('position', (event) => {
            const body = read(event);
            if (!body) return;
            streamFailures = 0;
            never('poll');
            show(body);
            later('quiet', QUIET, doubt);
        });
        // the answer to GET, not the event, sets the cookie
        stream.addEventListener('pass', () => { hush(); refresh(); });
        stream.addEventListener('closed', () => { hush(); refresh(); });
        stream.addEventListener('open', () => found());
        stream.addEventListener('error', () => {
            lost();
            // the browser tries again by itself, as `retry:` tells it, unless the answer was an error
            if (++streamFailures < STREAM_TRIES && stream.readyState !== EventSource.CLOSED) return;
            hush();
            if (streamFailures >= STREAM_TRIES) {
                streamFailures = 0;
                streamAfter = performance.now() + STREAM_REST;
            }
            later('poll', backOff(1), refresh);
        });
    }

    function read(event) {
        try {
            return JSON.parse(event.data);
        } catch {
            return null;
        }
    }

    function hush() {
        never('quiet');
        if (stream) stream.close();
        stream = null;
    }

    // A stream that says nothing may be a line that does not move, or dead: asked, the queue knows.
    async function doubt() {
        const before = JSON.stringify([place.position, place.state]);
        await refresh();
        if (alive() && JSON.stringify([place.position, place.state]) !== before) {
            hush();
            listen();
        }
    }

    // ---------------------------------------------------------------- what is shown

    const alive = () => state === 'waiting' || state === 'drawing';

    function enter(next) {
        if (state === next) return;
        state = next;
        el('room').dataset.state = next;
        el('room').toggleAttribute('data-live', alive() || next === 'joining');
        el('title').textContent = words.titles[next];
        el('what').textContent = words.explain[next] || words.what(queue);
        el('place').hidden = next !== 'waiting';
        el('draw').hidden = !alive() || !place.draw;
        el('keep').hidden = el('leave').hidden = !alive();
        el('sure').hidden = true;
        el('again').hidden = !['left', 'gone', 'closed', 'unknown', 'stranger'].includes(next);
        if (!alive()) document.title = words.titles[next];
    }

    // end(state): nothing more comes by itself
    function end(next) {
        hush();
        never('poll', 'tick', 'grace');
        joining = losing = false;
        enter(next);
        for (const id of ['held', 'unlikely', 'trouble']) note(id, '');
        if (next !== 'admitted') say(`${words.titles[next]}. ${words.explain[next]}`);
    }

    function note(id, text) {
        el(id).hidden = !text;
        el(id).textContent = text || '';
    }

    // show(body): a 202, or the data of `event: position`
    function show(body) {
        place = body;
        newsAt = performance.now();
        found();
        enter(body.drawing ? 'drawing' : 'waiting');
        if (body.draw) showDraw(body);
        if (!body.drawing) showPlace(body);
        const held = heldBy(body);
        note('held', held);
        note('unlikely', body.unlikely ? words.unlikely : '');
        tell(body, held);
    }

    // why nobody is let in at the moment, '' if it is not so
    function heldBy(body) {
        if (body.stale) return words.stale;
        if (body.opens_at && !body.drawing) return words.opens(new Date(body.opens_at));
        return words.held[body.room] || '';
    }

    function showPlace(body) {
        document.title = words.tab(body);
        el('position').textContent = words.number(body.position);
        el('ahead').textContent = words.ahead(body.ahead);
        el('eta').textContent = words.wait(body);
        const start = startOf(body);
        el('progress').value = 100 * (start - body.ahead + 1) / (start + 2);
        el('progress').setAttribute('aria-valuetext', words.progress(body));
    }

    // how many were ahead at first; a tab that is loaded again goes on where it was
    function startOf(body) {
        const name = `ticket-waiting-start:${queue}`;
        let start = null;
        try {
            const kept = JSON.parse(localStorage.getItem(name));
            if (kept && kept.number === body.number) start = kept.ahead;
        } catch { /* no storage, or not ours */ }
        if (!(start >= body.ahead)) start = body.ahead;
        try {
            localStorage.setItem(name, JSON.stringify({ number: body.number, ahead: start }));
        } catch { /* then the bar starts anew */ }
        return start;
    }

    function showDraw(body) {
        document.title = words.titles.drawing;
        el('draw').hidden = false;
        el('draw-words').textContent = body.drawing ? words.drawing(words.number(body.number)) : '';
        el('draw-how').textContent = words.drawHow;
        el('draw-number').textContent = words.number(body.number);
        el('draw-entries').textContent = words.number(body.draw.entries);
        el('draw-hash').textContent = body.draw.hash;
        el('draw-seed').textContent = body.draw.seed || words.secret;
        tick();
    }

    function tick() {
        const opens = place.drawing && Date.parse(place.opens_at);
        el('opening').hidden = !opens;
        if (!opens) return;
        const left = Math.ceil((opens - Date.now() - clockOffset) / 1000);
        el('countdown').textContent = left > 0 ? words.clock(left) : words.drawSoon;
        if (left > 0) later('tick', 1000, tick);
    }

    // ---------------------------------------------------------------- what is read aloud

    let said = { key: '', ahead: Infinity, at: -Infinity };

    function say(text) {
        el('said').textContent = text;
    }

    // A change of what is going on is said at once; of the place only what matters: half of the way since it was
    // said last, the last three places, and these not more often than every 20 s, but the last one.
    function tell(body, held) {
        const key = [state, held, !!body.unlikely].join();
        const now = performance.now();
        const near = body.ahead < said.ahead && (body.ahead <= said.ahead / 2 || body.ahead < 3);
        if (key === said.key && !(near && (now - said.at > 20000 || body.ahead === 0))) return;

        said = { key, ahead: body.ahead ?? Infinity, at: now };
        const text = state === 'drawing' ? `${words.titles.drawing}. ${el('draw-words').textContent}` : words.place(body);
        say([text, held, body.unlikely ? words.unlikely : ''].filter(Boolean).join(' '));
    }

    // the connection is away: said when it stays away
    function lost() {
        if (!el('trouble').hidden || losing) return;
        losing = true;
        later('grace', GRACE, () => {
            losing = false;
            note('trouble', joining ? words.away : words.trouble);
            say(el('trouble').textContent);
        });
    }

    function found() {
        never('grace');
        losing = false;
        if (el('trouble').hidden) return;
        note('trouble', '');
        say(words.back);
    }

    // ---------------------------------------------------------------- what the user does

    function join() {
        failures = streamFailures = streamAfter = 0;
        said = { key: '', ahead: Infinity, at: -Infinity };
        joining = true;
        enter('joining');
        refresh();
    }

    async function leave() {
        el('sure').hidden = true;
        const answer = await ask('DELETE');
        if (!alive()) return;
        if (answer.status === 200 || answer.body.code === 'not_waiting') end('left');
        else lost();
    }

    // what may have been missed while the tab slept, or the network was away
    function wake() {
        if (document.visibilityState === 'visible' && alive() && performance.now() - newsAt > 5000) refresh();
    }

    el('keep').textContent = words.keep;
    el('sure-words').textContent = words.sure;
    el('go').href = goal;
    el('again').addEventListener('click', join);
    el('leave').addEventListener('click', () => { el('sure').hidden = false; el('stay').focus(); });
    el('stay').addEventListener('click', () => { el('sure').hidden = true; el('leave').focus(); });
    el('really').addEventListener('click', leave);
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('online', wake);
    window.addEventListener('pagehide', hush);
    // brought back by the back button, as it was left
    window.addEventListener('pageshow', (event) => { if (event.persisted) join(); });

    if (queue) join(); else end('broken');
})();
