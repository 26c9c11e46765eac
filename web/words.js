/*
 * What the waiting page says. Another language is another copy of this file (and of index.html).
 */

'use strict';

window.waitingWords = (() => {
    const lang = document.documentElement.lang || 'en';
    const number = (n) => n.toLocaleString(lang);
    const many = (n, one, more) => `${number(n)} ${n === 1 ? one : more}`;

    // seconds → words, no more exact than an estimate is
    function eta(seconds) {
        if (seconds === null || seconds === undefined) return 'not known yet';
        if (seconds < 30) return 'less than half a minute';
        let minutes = Math.max(1, Math.round(seconds / 60));
        if (minutes > 20) minutes = Math.round(minutes / 5) * 5;
        if (minutes < 60) return `about ${many(minutes, 'minute', 'minutes')}`;
        if (minutes >= 360) return `about ${many(Math.round(minutes / 60), 'hour', 'hours')}`;
        const hours = many(Math.floor(minutes / 60), 'hour', 'hours');
        return minutes % 60 ? `about ${hours} ${minutes % 60} minutes` : `about ${hours}`;
    }

    return {
        number,
        // who is next waits for one person, of whom no average knows anything
        wait: (data) => data.ahead === 0 ? 'until a place is free' : eta(data.eta_seconds),
        ahead: (n) => n === 0 ? 'nobody: you are next' : many(n, 'person', 'people'),
        what: (queue) => queue && `for ${queue}`,

        // what the page is headed by in each of its states, and what is read aloud then ('' nothing)
        titles: {
            joining: 'You are being put in line …',
            waiting: 'You are in line',
            drawing: 'The order will be drawn',
            admitted: 'It is your turn',
            left: 'You have left the line',
            gone: 'You are no longer in line',
            closed: 'The line is closed',
            unknown: 'There is no such line',
            stranger: 'Nobody knows who you are',
            broken: 'This address is not complete',
        },
        explain: {
            left: 'Your place was given up.',
            gone: 'You have left in another tab, or your turn came and was not used in time.',
            closed: 'Nobody is let in any more. Who has been let in already may go on.',
            unknown: 'Nobody waits here. What you came for may be over.',
            stranger: 'A place belongs to a person: sign in, or allow cookies for this site, and come back.',
            broken: 'It does not say which line it is about. Go back to where you came from.',
        },
        tab: (data) => data.position ? `${number(data.position)} in line` : 'Waiting room',

        place: (data) => `Your place in line is ${number(data.position)}. ` +
            (data.ahead === 0 ? 'You are next.' : `Still to wait: ${eta(data.eta_seconds)}.`),
        progress: (data) => data.ahead === 0 ? 'you are next' : `${many(data.ahead, 'person', 'people')} ahead of you`,
        keep: 'This page goes on by itself when it is your turn. Your place is kept if you load it again, open it in ' +
            'another tab or lose the connection.',
        unlikely: 'It is unlikely that anything will be left when it is your turn: less is left than people are ' +
            'before you. Somebody may give up, so you can still wait.',
        held: {
            paused: 'Nobody is let in at the moment. The line keeps its order and goes on later.',
            draining: 'The line takes nobody new. Whoever is in it is still let in.',
        },
        opens: (date) => 'Nobody is let in before it opens: ' +
            `${date.toLocaleString(lang, { dateStyle: 'medium', timeStyle: 'short' })}.`,
        stale: 'The line does not answer at the moment: what is shown may have changed.',
        trouble: 'The connection is lost. Your place is kept; trying again by itself.',
        away: 'The line cannot be reached. Trying again by itself.',
        back: 'The connection is back.',
        turn: 'It is your turn. You are taken on now.',
        loop: 'It is your turn, but the page sent you back here. Cookies must be allowed for this site.',
        sure: 'Give up your place? Whoever comes back stands at the end of the line.',

        drawing: (number) => 'Until it opens it does not matter who came first: everybody here gets a place by lot. ' +
            `Your number in the draw is ${number}.`,
        drawSoon: 'The order is being drawn.',
        drawHow: 'The seed of the draw was chosen before anybody came, and its SHA-256 is shown from the beginning; the ' +
            'seed is shown once it is open. The order is that of the first seven hex digits of SHA-1("<seed>:<number>").',
        secret: 'shown when it opens',
        clock(seconds) {
            const pad = (n) => String(n).padStart(2, '0');
            const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = seconds % 60;
            if (h >= 48) return many(Math.floor(h / 24), 'day', 'days');
            return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
        },
    };
})();
