#!/usr/bin/env node
// A place in line belongs to the visitor, not to a page or a connection: whatever happens to these, it is the same.

'use strict';

const { is, ok, like, ctl, call, room, enter, leave, reload, visitor, text, shown, position, atPosition, until,
    inside, noComplaints, run } = require('./lib.js');

// a room with one pass out and two in line, and a visitor behind them
async function third(options) {
    const queue = await room({ capacity: 1, pass_ttl: 600 });
    for (const user of ['holder', 'a', 'b']) await enter(queue, user);
    const guest = await visitor(options);
    const page = await guest.open(queue, `/sale/${queue}/page`);
    await atPosition(page, 3);
    return { queue, guest, page };
}

run({
    async 'loading it again, and a second tab'() {
        const { queue, guest, page } = await third();
        await enter(queue, 'behind');
        await page.reload();
        await atPosition(page, 3);
        ok(true, 'the place is the same after a refresh');
        const tab = await guest.open(queue, '/');
        await atPosition(tab, 3);
        ok(true, 'and in another tab');
        is((await call('GET', `/queues/${queue}`, { user: 'behind' })).body.position, 4, 'nobody was added to the line');

        await leave(queue, 'a');
        await Promise.all([atPosition(page, 2), atPosition(tab, 2)]);
        ok(true, 'both tabs move');
        noComplaints('nothing in the consoles');
    },

    async 'a reload of nginx'() {
        const { queue, page } = await third();
        await reload();
        await leave(queue, 'a');
        await atPosition(page, 2);
        ok(true, 'the page is connected again, in the same place: one of two has left before it');
        await page.waitForSelector('#trouble', { state: 'hidden' });
        is(await page.getAttribute('#room', 'data-state'), 'waiting', 'and still waits');
        noComplaints('nothing in the consoles');
    },

    async 'nginx away'() {
        const { queue, page } = await third();
        ctl('stop', 'nginx');
        try {
            await page.waitForSelector('#trouble:not([hidden])');
            like(await text(page, 'trouble'), /place is kept/, 'it is said that the connection is lost and the place kept');
            is(await position(page), 3, 'which is still shown');
        } finally {
            ctl('start', 'nginx');
        }
        await page.waitForSelector('#trouble', { state: 'hidden' });
        await leave(queue, 'a');
        await atPosition(page, 2);
        ok(true, 'when nginx is back, so is the page, by itself');
        noComplaints('nothing else in the consoles', /Failed to load resource: net::ERR_/, /\(5\d\d\b/);
    },

    async 'leaving'() {
        const { queue, guest, page } = await third();
        const tab = await guest.open(queue, '/');
        await atPosition(tab, 3);
        await enter(queue, 'behind');

        await page.click('#leave');
        await page.click('#stay');
        await leave(queue, 'a');
        await atPosition(page, 2);
        ok(true, 'who stays after all has his place still');
        await page.click('#leave');
        await page.click('#really');
        await shown(page, 'left');
        ok(await page.isHidden('#place'), 'who leaves is told so, and sees no place');
        await until(async () => (await call('GET', `/queues/${queue}`, { user: 'behind' })).body.position === 2,
            'the next moves up');
        ok(true, 'the one behind moves up');
        await shown(tab, 'gone');
        ok(true, 'the other tab knows it, and does not stand in line again');

        await page.click('#again');
        await atPosition(page, 3);
        ok(true, 'who joins again is the last');
        noComplaints('nothing else in the consoles', /404/);
    },

    async 'a browser without server-sent events'() {
        // how often it asks follows from the time it has to wait, and this from the rate
        const queue = await room({ capacity: 1, pass_ttl: 600, rate: 100 });
        for (const user of ['holder', 'a', 'b']) await enter(queue, user);
        const { context, open } = await visitor();
        await context.addInitScript(() => { delete window.EventSource; });
        const asked = [];
        context.on('request', (request) => asked.push(new URL(request.url()).pathname));
        const page = await open(queue, `/sale/${queue}/page`);
        await atPosition(page, 3);
        await leave(queue, 'a');
        await atPosition(page, 2);
        ok(true, 'asks from time to time, and moves');
        for (const user of ['b', 'holder']) await leave(queue, user);
        await inside(page);
        ok(true, 'and goes on when it is its turn');
        ok(!asked.some((path) => path.endsWith('/events')), 'without a stream');
        noComplaints('nothing in the consoles');
    },

    async 'a stream that a proxy does not let through'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        for (const user of ['holder', 'a']) await enter(queue, user);
        const { context, open } = await visitor();
        await context.route('**/events', (route) => route.abort());
        const page = await open(queue, `/sale/${queue}/page`);
        await atPosition(page, 2);
        for (const user of ['a', 'holder']) await leave(queue, user);
        await inside(page);
        ok(true, 'is done without');
    },
});
