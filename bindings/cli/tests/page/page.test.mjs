// The pages of `fallgate drill --report` in Chromium: nothing is loaded, nothing goes wrong, everybody can use them.
//
// FALLGATE names the command, FALLGATE_CHROMIUM the browser. SCREENSHOTS names a folder that pictures are left in, to be
// looked at.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const POLICIES = join(ROOT, 'policies');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = process.env.SCREENSHOTS;

let browser;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fallgate-page-'));
  browser = await puppeteer.launch({
    executablePath: process.env.FALLGATE_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The page of a pack's drills. */
const report = (pack, name = 'page') => {
  const file = join(folder, `${name}.html`);
  execFileSync(process.env.FALLGATE, ['drill', pack, '--report', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  return file;
};

/** Opens a page, and remembers what it asked for and what it complained about. */
const open = async (file, theme = 'light') => {
  const page = await browser.newPage();
  const seen = { asked: [], wrong: [] };
  page.on('request', (request) => seen.asked.push(request.url()));
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) seen.wrong.push(message.text());
  });
  page.on('pageerror', (error) => seen.wrong.push(String(error)));
  await page.setViewport({ width: 1280, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  await page.goto(pathToFileURL(file).href);
  return { page, seen };
};

/** What axe finds. It is put in by the debugger, which the page's policy does not bind. */
const violations = async (page) => {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join('; ')}`);
};

const picture = async (page, name) => {
  if (PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
};

const text = (page, selector) => page.$eval(selector, (found) => found.textContent);

describe('every pack', () => {
  const packs = readdirSync(POLICIES).filter((pack) => existsSync(join(POLICIES, pack, 'drills')));
  assert.ok(packs.length > 5);
  for (const pack of packs) {
    test(pack, async () => {
      const file = report(join(POLICIES, pack), pack);
      for (const theme of ['light', 'dark']) {
        const { page, seen } = await open(file, theme);
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(seen.wrong, []);
        assert.equal(seen.asked.length, 1, `the page loads ${seen.asked}`);
        await picture(page, `${pack}-${theme}`);
        await page.close();
      }
    });
  }
});

test('an outage is read without knowing the product: what, since when, why, what ends it', async () => {
  const { page } = await open(report(join(POLICIES, 'idp-outage'), 'outage'));
  const rows = await page.$$eval('#provider-down table:first-of-type tbody tr', (all) =>
    all.map((row) => [...row.children].map((cell) => cell.textContent)));
  const started = rows.find(([action]) => action === 'session:start');
  assert.ok(started, JSON.stringify(rows));
  const [, whom, what, at, why, ends, then] = started;
  assert.match(whom, /^mia/);
  assert.equal(what, 'workforce');
  assert.match(at, /^6s/);
  assert.match(why, /idp \(failed since 5s\)/);
  assert.match(ends, /idp needs 2 of idp-probe-eu, idp-probe-us, idp-probe-ap ok/);
  // At 10m 1s the directory was silent too; that deny ended at 16m 58s.
  assert.match(then, /denied at 10m 1s for another cause/);
  const later = rows.find(([action, , , at]) => action === 'session:start' && at === '10m 1s');
  assert.match(later[6], /^allowed at 16m 58s/);
  await page.close();
});

test('the keyboard moves the line, and what is under it is said', async () => {
  const { page } = await open(report(join(POLICIES, 'idp-outage'), 'keyboard'));
  await page.focus('#provider-down input[type=range]');
  const line = () => page.$eval('#provider-down .cursor', (cursor) => Number(cursor.getAttribute('x1')));
  const start = await line();
  await page.keyboard.press('ArrowRight');
  assert.ok((await line()) > start);
  assert.match(await text(page, '#provider-down .step'), /Asked: mia app:open crm/);
  await page.keyboard.press('End');
  assert.match(await text(page, '#provider-down output'), /^27 of 27, at 16m 58s/);
  // Round to the first deny.
  await page.click('#provider-down [data-go=deny]');
  assert.match(await text(page, '#provider-down .step'), /Answer: deny: signal_unavailable/);
  assert.match(await text(page, '#provider-down .step'), /Not ok: idp \(failed since 5s\)/);
  await page.select('#provider-down select', 'denied');
  assert.match(await text(page, '#provider-down .filters'), /1 to 8 of 8/);
  await page.close();
});

test('without a script the page still says what matters', async () => {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(pathToFileURL(report(join(POLICIES, 'idp-outage'), 'still')).href);
  assert.match(await text(page, '#provider-down'), /What ends it/);
  assert.ok((await page.$$('#provider-down .chart .span')).length > 10);
  assert.equal(await page.$eval('#provider-down .player', (player) => player.checkVisibility()), false);
  await page.close();
});

test('what a pack says stays text', async () => {
  const pack = join(folder, 'hostile');
  mkdirSync(join(pack, 'drills'), { recursive: true });
  const hostile = '</script><img src=x onerror=alert(1)><script>alert(2)</script>&amp;';
  writeFileSync(join(pack, 'pack.yaml'), [
    'fallgate: 1', 'name: hostile', 'revision: 1', 'description: Texts that are none.',
    'schema: { subject: { user: {} }, resource: { page: {} } }', 'signals: { up: { ttl: 10s } }',
    'actions: { read: { class: read, requires: [up] } }', '',
  ].join('\n'));
  writeFileSync(join(pack, 'rules.yaml'), 'rules:\n  - id: everybody-reads\n    effect: allow\n    action: read\n');
  writeFileSync(join(pack, 'drills', 'texts.yaml'), [
    `drill: ${JSON.stringify(hostile)}`, 'pack: ..', 'steps:',
    `  - { at: 1s, note: ${JSON.stringify(hostile)}, decide: { subject: { type: user, id: ${JSON.stringify(hostile)} }, `
      + 'action: { name: read }, resource: { type: page, id: home } } }', '',
  ].join('\n'));
  const { page, seen } = await open(report(pack, 'hostile-page'));
  assert.deepEqual(seen.wrong, []);
  assert.equal(seen.asked.length, 1);
  assert.equal((await page.$$('img')).length, 0);
  assert.ok((await text(page, '.step')).includes(hostile));
  await page.close();
});

test('a hundred thousand steps stay usable', async () => {
  const pack = join(folder, 'long');
  mkdirSync(join(pack, 'drills'), { recursive: true });
  writeFileSync(join(pack, 'pack.yaml'), [
    'fallgate: 1', 'name: long', 'revision: 1', 'description: A long day.',
    'schema: { subject: { user: {} }, resource: { page: {} } }', 'signals: { up: { ttl: 10s } }',
    'actions: { read: { class: read, requires: [up] } }', '',
  ].join('\n'));
  writeFileSync(join(pack, 'rules.yaml'), 'rules:\n  - id: everybody-reads\n    effect: allow\n    action: read\n');
  const ask = 'decide: { subject: { type: user, id: ada }, action: { name: read }, resource: { type: page, id: home } }';
  const steps = Array.from({ length: 100 }, (_, at) =>
    `  - { at: ${at * 1000}s, observe: { up: ${at % 7 === 3 ? 'failed' : 'ok'} }, repeat: 1000, every: 1s, ${ask} }`);
  writeFileSync(join(pack, 'drills', 'day.yaml'), `drill: A day of a step a second.\npack: ..\nsteps:\n${steps.join('\n')}\n`);
  const file = report(pack, 'long-page');
  const bytes = readFileSync(file).length;
  assert.ok(bytes < 12_000_000, `${bytes} bytes`);
  const { page, seen } = await open(file);
  assert.deepEqual(seen.wrong, []);
  assert.match(await text(page, '.steps'), /1 to 100 of 100000/);
  const shapes = await page.$$eval('.chart *', (all) => all.length);
  assert.ok(shapes < 10_000, `${shapes} shapes`);
  // It answers: how long is told, and only that it does is held. What takes too long ends the test by the browser's own limit.
  const began = performance.now();
  await page.focus('input[type=range]');
  await page.keyboard.press('End');
  assert.match(await text(page, 'output'), /^100000 of 100000/);
  await page.click('[data-go=deny]');
  await page.type('input[type=search]', 'failed');
  assert.match(await text(page, '.filters'), /of \d+$/);
  console.log(`${bytes} bytes, ${shapes} shapes, three moves in ${Math.round(performance.now() - began)} ms`);
  await page.close();
});
