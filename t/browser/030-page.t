#!/usr/bin/env node
// For everybody: on the smallest phone, for ears, by keyboard, for who is made sick by motion, in the dark.

'use strict';

const { is, ok, like, room, enter, leave, change, visitor, text, heard, shown, atPosition, noComplaints,
    run } = require('./lib.js');

async function line(length) {
    const queue = await room({ capacity: 1, pass_ttl: 600 });
    await enter(queue, 'holder');
    for (let i = 1; i <= length; i++) await enter(queue, `user${i}`);
    return queue;
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

run({
    async 'the smallest phone'() {
        const queue = await line(2);
        const { open } = await visitor({ viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true });
        const page = await open(queue, '/');
        await atPosition(page, 3);
        is(await overflow(page), 0, 'nothing is wider than 320 px');
        await page.tap('#leave');
        is(await overflow(page), 0, 'nor is the question whether to leave');
        const small = await page.$$eval('button', (all) => all.map((e) => e.getBoundingClientRect())
            .filter((box) => box.width && (box.height < 44 || box.width < 44)).length);
        is(small, 0, 'buttons are large enough for a thumb');
        await page.evaluate(() => { document.getElementById('what').textContent = 'x'.repeat(255); });
        is(await overflow(page), 0, 'nor is the longest name of a room');
        noComplaints('nothing in the consoles');
    },

    async 'what is read aloud'() {
        const queue = await line(8);
        const { open } = await visitor();
        const page = await open(queue, '/');
        await atPosition(page, 9);
        is(await page.getAttribute('#said', 'aria-live'), 'polite', 'politely');
        like((await heard(page)).join('|'), /^Your place in line is 9\. [^|]*$/, 'the place, once');

        for (let i = 1; i <= 3; i++) {
            await leave(queue, `user${i}`);
            await atPosition(page, 9 - i);
        }
        is((await heard(page)).length, 1, 'not each step of the line');
        await change(queue, { state: 'paused' });
        await page.waitForSelector('#held:not([hidden])');
        like((await heard(page))[1], /Nobody is let in at the moment/, 'that the line is paused is said');
        await change(queue, { state: 'open' });
        await page.waitForSelector('#held', { state: 'hidden' });
        is((await heard(page)).length, 3, 'and that it goes on');
        noComplaints('nothing in the consoles');
    },

    async 'what assistive technology finds'() {
        const queue = await line(2);
        const { open } = await visitor();
        const page = await open(queue, '/');
        await atPosition(page, 3);
        is(await page.getByRole('progressbar', { name: 'How far you have come' }).count(), 1, 'a named progress bar');
        is(await page.getByRole('heading', { level: 1 }).textContent(), 'You are in line', 'a heading');
        is(await page.getByRole('main').count(), 1, 'the main part');
        is(await page.getAttribute('html', 'lang'), 'en', 'the language');

        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.waitForSelector('#sure:not([hidden])');
        is(await page.evaluate(() => document.activeElement.id), 'stay', 'by keyboard, the harmless button is at hand');
        await page.keyboard.press('Enter');
        is(await page.evaluate(() => document.activeElement.id), 'leave', 'and the way back leads to where it began');
        noComplaints('nothing in the consoles');
    },

    async 'motion and colours as the visitor wants them'() {
        const queue = await line(1);
        const look = async (options) => {
            const { open } = await visitor(options);
            const page = await open(queue, '/');
            await shown(page, 'waiting');
            return page.evaluate(() => [getComputedStyle(document.querySelector('main'), '::before').animationName,
                getComputedStyle(document.body).backgroundColor]);
        };
        const [moves, light] = await look({ colorScheme: 'light' });
        const [still, dark] = await look({ colorScheme: 'dark', reducedMotion: 'reduce' });
        is([moves, still], ['breathe', 'none'], 'nothing moves for who wants no motion');
        const sum = (colour) => colour.match(/\d+/g).reduce((all, n) => all + Number(n), 0);
        ok(sum(light) > 600 && sum(dark) < 150, `light is light, dark is dark: ${light}, ${dark}`);
        noComplaints('nothing in the consoles');
    },

    async 'without JavaScript'() {
        const queue = await line(0);
        const { open } = await visitor({ javaScriptEnabled: false });
        const page = await open(queue, '/');
        like(await page.locator('noscript').innerText(), /go back and load that page again/, 'it says what to do');
    },
});
