#!/usr/bin/env node
// What the address says is hostile until shown otherwise, and bad news are told as they are.

'use strict';

const { is, ok, like, site, must, until, call, room, enter, change, visitor, text, heard, shown, atPosition,
    noComplaints, run } = require('./lib.js');

run({
    async 'where it goes on to is a page of this site'() {
        const queue = await room({ capacity: 100, pass_ttl: 600 });
        const { context, open } = await visitor();
        const outside = [];
        context.on('request', (request) => {
            if (new URL(request.url()).origin !== site) outside.push(request.url());
        });
        for (const back of ['//evil.example', '//evil.example/x', '/\\evil.example', '\\\\evil.example', '/\t/evil.example',
            '/\n/evil.example', 'https://evil.example/', 'javascript:alert(1)', 'data:text/html,x', 'evil.example', '',
            '/waiting/?queue=x', '\u0000//evil.example']) {
            const page = await context.newPage();
            await open(queue, back, page).catch(() => {});
            await page.waitForURL(`${site}/`);
            ok(true, `${JSON.stringify(back)} is not followed`);
            await page.close();
        }
        is(outside, [], 'nothing outside of the site was asked');

        const page = await open(queue, '/sale/x%2Fy/none?a=1&b=%26#c').catch(() => context.pages()[0]);
        await page.waitForURL((url) => url.pathname.startsWith('/sale/'));
        is(page.url(), `${site}/sale/x%2Fy/none?a=1&b=%26#c`, 'a page of it is, byte for byte');
        // there is nothing at these addresses of the example
        noComplaints('nothing else in the consoles', /404/);
    },

    async 'names are shown, not run'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 }, '<b>bold<b>&amp;"');
        await enter(queue, 'holder');
        const { open } = await visitor();
        const page = await open(queue, '/');
        await atPosition(page, 1);
        is(await text(page, 'what'), `for ${queue}`, 'as they are');
        is(await page.locator('main b').count(), 0, 'and not as markup');
        noComplaints('nothing in the consoles');
    },

    async 'a line that is closed'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        await enter(queue, 'holder');
        const { open } = await visitor();
        const page = await open(queue, '/');
        await atPosition(page, 1);
        await change(queue, { state: 'draining' });
        await page.waitForSelector('#held:not([hidden])');
        like(await text(page, 'held'), /takes nobody new/, 'who waits while it drains is told');
        await change(queue, { state: 'closed' });
        await shown(page, 'closed');
        like((await heard(page)).at(-1), /The line is closed/, 'and when it closes, aloud, too');

        const late = await (await visitor()).open(queue, '/');
        await shown(late, 'closed');
        ok(await late.isHidden('#place'), 'who comes later has no place');
        noComplaints('nothing else in the consoles', /403/);
    },

    async 'a line that is not there'() {
        const { context, open } = await visitor();
        await shown(await open('no-such-line', '/'), 'unknown');
        ok(true, 'is said');
        const page = await context.newPage();
        await page.goto(`${site}/waiting/`);
        await shown(page, 'broken');
        ok(true, 'and so is an address without one');
        noComplaints('nothing else in the consoles', /404/);
    },

    async 'when hardly anything is left'() {
        const queue = await room({ capacity: 1, pass_ttl: 600 });
        await must(201, 'PUT', `/admin/tickets/${queue}`, { body: { capacity: 1 } });
        await until(async () => (await call('GET', `/admin/tickets/${queue}`)).body.state === 'open', 'the ticket is open');
        await change(queue, { tickets: [queue] });
        await until(async () => (await enter(queue, 'holder')).status === 200, 'the holder has the pass');
        const { open } = await visitor();
        const page = await open(queue, '/');
        await atPosition(page, 1);
        await page.waitForSelector('#unlikely:not([hidden])');
        like(await text(page, 'unlikely'), /It is unlikely/, 'who waits is told that it is in vain');
        like((await heard(page)).join(' '), /It is unlikely/, 'aloud, too');

        await must(200, 'PATCH', `/admin/tickets/${queue}`, { body: { capacity: 5 } });
        await page.waitForSelector('#unlikely', { state: 'hidden' });
        ok(true, 'and when there is more, it is taken back');
        noComplaints('nothing in the consoles');
    },
});
