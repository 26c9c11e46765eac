#!/usr/bin/env node
// Before it opens: nobody has a position while there is a draw to come, and afterwards everybody can check the order.

'use strict';

const { createHash } = require('node:crypto');
const { is, ok, like, room, enter, change, call, visitor, text, shown, position, inside, noComplaints,
    run } = require('./lib.js');

const sha = (kind, data) => createHash(kind).update(data).digest('hex');

run({
    async 'everybody who comes before it opens gets a place by lot'() {
        const opens = new Date(Date.now() + 3600 * 1000).toISOString();
        const queue = await room({ capacity: 1, pass_ttl: 600, opening_draw: true, opens_at: opens });
        for (const user of ['a', 'b', 'c', 'd']) await enter(queue, user);
        const { open } = await visitor({ viewport: { width: 320, height: 568 } });
        const page = await open(queue, '/');
        await shown(page, 'drawing');
        ok(await page.isHidden('#place'), 'there is no place yet');
        // the page has the server's clock from Date, which has no fractions
        like(await text(page, 'countdown'), /^(59:\d\d|1:00:0[01])$/, 'it is counted down to the opening');
        is(await text(page, 'draw-number'), '5', 'the number in the draw is shown');
        await page.click('summary');
        const hash = await text(page, 'draw-hash');
        like(hash, /^[0-9a-f]{64}$/, 'and the hash of the seed');
        is(await text(page, 'draw-seed'), 'shown when it opens', 'but not the seed');
        is(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0,
            'all of it fits on the smallest phone');

        // paused, it opens without letting anybody in
        await change(queue, { state: 'paused', opens_at: new Date(Date.now() + 1500).toISOString() });
        await shown(page, 'waiting');
        const seed = await text(page, 'draw-seed');
        is(sha('sha256', seed), hash, 'when it opens, the seed is shown, and is what was promised');
        is(await text(page, 'draw-hash'), hash, 'the hash is still the same');

        const lots = [1, 2, 3, 4, 5].map((n) => [sha('sha1', `${seed}:${n}`).slice(0, 7), n]).sort();
        const order = lots.map(([, n]) => n);
        is(await position(page), order.indexOf(5) + 1, 'the place is what anybody can compute from it');
        const others = [];
        for (const user of ['a', 'b', 'c', 'd']) others.push((await call('GET', `/queues/${queue}`, { user })).body.position);
        is(others, [1, 2, 3, 4].map((n) => order.indexOf(n) + 1), 'and so are those of the others');
        noComplaints('nothing in the consoles');
    },

    async 'without a draw it is first come, first served, and opens all the same'() {
        const opens = new Date(Date.now() + 3600 * 1000);
        const queue = await room({ capacity: 1, pass_ttl: 600, opens_at: opens.toISOString() });
        const { open } = await visitor();
        const page = await open(queue, `/sale/${queue}/page`);
        await shown(page, 'waiting');
        is(await position(page), 1, 'who is first has the first place');
        like(await text(page, 'held'), /before it opens: .*\d:\d\d/, 'and is told that it is not open yet');
        await change(queue, { opens_at: null });
        await inside(page);
        ok(true, 'and goes on when it opens');
        noComplaints('nothing in the consoles');
    },
});
