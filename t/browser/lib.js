/*
 * Browsers before the running stack, and TAP.
 *
 * The stack is found through $RUN_DIR/env (default run/check), playwright-core by $PLAYWRIGHT or stack/browser/fetch.
 * A visitor is a browser context of its own: its cookies are its identity, as nginx.conf.example has it. Nothing here
 * waits for a time: what is waited for is a state, and the deadline only ends what has failed.
 */

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../..');
const runDir = process.env.RUN_DIR || path.join(root, 'run/check');
const DEADLINE = 60000; // ms

// ---------------------------------------------------------------- TAP

let count = 0;
let failed = 0;

function ok(good, name) {
    count++;
    if (!good) failed++;
    console.log(`${good ? 'ok' : 'not ok'} ${count} - ${name}`);
    return !!good;
}

function diag(...lines) {
    for (const line of lines.join('\n').split('\n')) console.log(`# ${line}`);
}

function is(got, expected, name) {
    const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
    if (!ok(a === b, name)) diag(`     got: ${a}`, `expected: ${b}`);
}

function like(got, pattern, name) {
    if (!ok(pattern.test(got), name)) diag(`  got: ${JSON.stringify(got)}`, `no match: ${pattern}`);
}

// ---------------------------------------------------------------- the stack

const env = {};
for (const line of fs.readFileSync(path.join(runDir, 'env'), 'utf8').split('\n')) {
    const [, name, value] = line.match(/^export (\w+)=(.*)$/) || [];
    if (name) env[name] = value;
}
const site = env.TICKET_URL;

// stack/ctl; what it printed
const ctl = (...args) => execFileSync(path.join(root, 'stack/ctl'), args,
    { encoding: 'utf8', env: { ...process.env, RUN_DIR: runDir } }).trim();

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

// until(f, what): what f gives as soon as that is true
async function until(f, what) {
    const end = Date.now() + DEADLINE;
    for (;;) {
        const result = await f();
        if (result) return result;
        if (Date.now() > end) throw new Error(`after ${DEADLINE / 1000} s it is still not so that ${what}`);
        await sleep(100);
    }
}

// call(METHOD, PATH, {user, body}): {status, body}; again while nothing was changed for want of a server
async function call(method, where, { user, body } = {}) {
    const end = Date.now() + DEADLINE;
    for (;;) {
        const headers = { Accept: 'application/json' };
        if (user) headers['X-User'] = user;
        if (body) headers['Content-Type'] = 'application/json';
        const answer = await fetch(site + where, { method, headers, body: body && JSON.stringify(body), redirect: 'manual' });
        const text = await answer.text();
        if (answer.status !== 503 || Date.now() > end) {
            return { status: answer.status, body: text && JSON.parse(text) };
        }
        await sleep(200);
    }
}

async function must(status, method, where, options) {
    const answer = await call(method, where, options);
    if (answer.status !== status) throw new Error(`${method} ${where}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
}

// no file of tests meets a room of another run
const tag = `${process.pid.toString(36)}${Date.now().toString(36).slice(-5)}`;
let names = 0;

// room(definition): the name of a new waiting room
async function room(definition, suffix = '') {
    const name = `web-${tag}-${++names}${suffix}`;
    await must(201, 'PUT', `/admin/queues/${encodeURIComponent(name)}`, { body: definition });
    return name;
}

const change = (name, definition) => must(200, 'PATCH', `/admin/queues/${name}`, { body: definition });
const enter = (name, user) => call('POST', `/queues/${encodeURIComponent(name)}`, { user });
const leave = (name, user) => must(200, 'DELETE', `/queues/${name}`, { user });

const workers = (master) => fs.readdirSync('/proc').filter((pid) => {
    try {
        const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(parent) === master && state !== 'Z';
    } catch {
        return false;
    }
});

// HUP; back when none of the old workers is there
async function reload() {
    const master = Number(ctl('pid', 'nginx'));
    const old = workers(master);
    process.kill(master, 'SIGHUP');
    await until(() => {
        const now = workers(master);
        return now.length && !now.some((pid) => old.includes(pid));
    }, 'the old workers are gone');
}

// ---------------------------------------------------------------- browsers

let browser;
const complaints = [];

// visitor(options): {context, open(queue, return), said}; options as newContext has them
async function visitor(options = {}) {
    const context = await browser.newContext({ viewport: { width: 800, height: 700 }, ...options });
    context.setDefaultTimeout(DEADLINE);
    if (options.javaScriptEnabled !== false) await context.addInitScript(listen);
    context.on('console', (message) => {
        if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => complaints.push(String(error.error())));
    return {
        context,
        async open(queue, back, page) {
            page = page || await context.newPage();
            await page.goto(`${site}/waiting/?${new URLSearchParams({ queue, return: back })}`);
            return page;
        },
    };
}

// in the page: all that was read aloud, and each thing the policy forbade
function listen() {
    window.heard = [];
    document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
    document.addEventListener('DOMContentLoaded', () => {
        const said = document.getElementById('said');
        if (!said) return;
        new MutationObserver(() => window.heard.push(said.textContent)).observe(said, { childList: true });
    });
}

const heard = (page) => page.evaluate(() => window.heard);
const text = (page, id) => page.textContent(`#${id}`);
const shown = (page, state) => page.waitForSelector(`#room[data-state=${state}]`);
const position = async (page) => Number((await text(page, 'position')).replace(/\D/g, ''));
const atPosition = (page, n) => page.waitForFunction(
    (want) => document.getElementById('position').textContent.replace(/\D/g, '') === want, String(n));

// behind the waiting room
const inside = (page) => page.waitForURL((url) => url.pathname.endsWith('/page'));

// ---------------------------------------------------------------- a file of tests

// noComplaints(allowed): no error in any console since it was asked last, but for these patterns
function noComplaints(name, ...allowed) {
    const bad = complaints.splice(0).filter((text) => !allowed.some((pattern) => pattern.test(text)));
    if (!ok(bad.length === 0, name)) diag(...bad);
}

// run({title: async function}...): each with what it leaves closed; a throw is a failed test
async function run(tests) {
    const home = process.env.PLAYWRIGHT ||
        execFileSync(path.join(root, 'stack/browser/fetch'), { encoding: 'utf8' }).trim();
    const { chromium } = require(home);
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
    });
    diag(`Chromium ${browser.version()}`);
    for (const [title, test] of Object.entries(tests)) {
        diag('', title);
        try {
            await test();
        } catch (error) {
            ok(false, `${title}: runs to its end`);
            diag(error.stack.replaceAll(/\u001b\[\d+m/g, ''));
            diag(...complaints);
        }
        for (const context of browser.contexts()) await context.close();
        complaints.length = 0;
    }
    await browser.close();
    console.log(`1..${count}`);
    process.exitCode = failed ? 1 : 0;
}

module.exports = { ok, is, like, diag, site, ctl, sleep, until, call, must, room, change, enter, leave, reload, visitor,
    heard, text, shown, position, atPosition, inside, noComplaints, run };
