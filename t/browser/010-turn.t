#!/usr/bin/env node
// What the page is for: it shows how the line moves, and when it is somebody's turn it goes on by itself, without a
// click, to where he came for.

'use strict';

const { is, ok, like, site, must, until, call, room, enter, leave, visitor, text, shown, position, atPosition, inside,
    noComplaints, run } = require('./lib.js');

// the ticket is put together by the persister
async function ticket(name, capacity) {
    await must(201, 'PUT', `/admin/tickets/${name}`, { body: { capacity } });
    await until(async () => (await call('GET', `/admin/tickets/${name}`)).body.state === 'open', `${name} is open`);
}

run({
    async 'two browsers side by side: one is let in when the pass of the other expires'() {
        const queue = await room({ capacity: 1, pass_ttl: 12 });
        const [a, b] = [await visitor(), await visitor()];

        const first = await a.context.newPage();
        await first.goto(`${site}/sale/${queue}/page`);
        like(await first.textContent('h1'), /You are in/, 'the first comes in at once: there is room, and no line');

        const streams = [];
        b.context.on('request', (request) => request.url().endsWith('/events') && streams.push(request.url()));
        const second = await b.context.newPage();
        await second.goto(`${site}/sale/${queue}/page`);
        await shown(second, 'waiting');
        like(second.url(), /\/waiting\/\?queue=/, 'the second is sent to wait');
        is(await position(second), 1, 'at position 1');
        is(await text(second, 'ahead'), 'nobody: you are next', 'and is told that he is next');

        await inside(second);
        is(second.url(), `${site}/sale/${queue}/page`, 'he goes on by himself to the page he wanted');
        like(await second.textContent('h1'), /You are in/, 'and is in');

        is(streams.length, 1, 'at the word of the stream, which was opened once');

        await first.reload();
        await shown(first, 'waiting');
        ok(true, 'the first, whose pass is over, waits now');
        noComplaints('nothing in the consoles');
    },

    async 'the position moves as those before leave'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        for (const user of ['holder', 'a', 'b', 'c']) await enter(queue, user);
        const { open } = await visitor();
        const page = await open(queue, `/sale/${queue}/page`);
        await atPosition(page, 4);
        const bar = () => page.$eval('#progress', (e) => [e.value, e.getAttribute('aria-valuetext')]);
        const [before, beforeText] = await bar();
        is(beforeText, '3 people ahead of you', 'the bar says so in words');
        is(await page.title(), '4 in line', 'and so does the tab');

        await leave(queue, 'a');
        await atPosition(page, 3);
        await leave(queue, 'c');
        await atPosition(page, 2);
        like(await text(page, 'eta'), /^(about|less than|not known)/, 'how long it takes is said in words');
        const [after, afterText] = await bar();
        ok(after > before && after < 100, 'the bar has grown');
        is(afterText, '1 person ahead of you', 'with its words');

        await leave(queue, 'holder');
        await atPosition(page, 1);
        is(await text(page, 'eta'), 'until a place is free', 'who is next waits for a person, not for an average');
        is((await call('GET', `/queues/${queue}`, { user: 'b' })).status, 200, 'the one before is let in');
        await leave(queue, 'b');
        await inside(page);
        ok(true, 'and then this one is');
        noComplaints('nothing in the consoles');
    },

    async 'a booking uses the pass up, and the next comes in'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        await ticket(queue, 10);
        const [a, b] = [await visitor(), await visitor()];
        const first = await a.context.newPage();
        await first.goto(`${site}/sale/${queue}/page`);
        const second = await b.open(queue, `/sale/${queue}/page`);
        await atPosition(second, 1);

        const early = await b.context.request.post(`${site}/sale/${queue}/booking`, { form: { quantity: 1 } });
        is([early.status(), (await early.json()).code], [403, 'pass_required'], 'who waits cannot book');

        await Promise.all([first.waitForURL('**/booking'), first.click('button')]);
        is(JSON.parse(await first.textContent('body')).ticket, queue, 'who is in books with a click');
        await inside(second);
        ok(true, 'and the next is in, long before the pass would have expired');
        const again = await a.context.request.get(`${site}/queues/${queue}`);
        is([again.status(), (await again.json()).code], [404, 'not_waiting'], 'the first has nothing left to use');
        // of an answer in JSON, which names none, a browser asks for the usual icon
        noComplaints('nothing else in the consoles', /favicon/);
    },

    async 'a site that sends back who has a pass is no circle'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        const { context, open } = await visitor();
        await context.route('**/lost', (route) => route.fulfill({
            status: 302, headers: { Location: `/waiting/?queue=${queue}&return=/lost` } }));
        const page = await open(queue, '/lost').catch(() => context.pages()[0]);
        await page.waitForSelector('#go:not([hidden])');
        like(await text(page, 'trouble'), /sent you back/, 'after some times it stops, and says what is wrong');
        like(await page.getAttribute('#go', 'href'), /\/lost$/, 'the user may still go on himself');
    },
});
