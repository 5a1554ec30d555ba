// Drives the page in a headless browser, and prints what happened as JSON:
//
//     node drive.mjs BROWSER PLAN.json
//
// The plan has the page's `url`, a recorded `stick` to replay, addresses of `broken` pages, a folder
// for `pictures` ("" for none), the address of the documentation's `example`, and the `seconds` for which to watch the heap (0 for not at all).

import { readFileSync } from "node:fs";

import { chromium } from "playwright-core";

const [, , executablePath, file] = process.argv;
const plan = JSON.parse(readFileSync(file, "utf8"));
const args = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
const browser = await chromium.launch({ executablePath, args });
const told = { complaints: [], requests: [] };

async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 400, height: 260 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => told.complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => told.complaints.push(error.message));
  page.on("request", (request) => told.requests.push(request.url()));
  await page.goto(url);
  const begun = () => window.motionVae?.frames > 0 || !document.getElementById("error").hidden;
  await page.waitForFunction(begun, null, { timeout: 30000 });
  return page;
}

const state = (page) => page.evaluate(() => ({
  position: motionVae.position, yaw: motionVae.yaw, steps: motionVae.steps, name: motionVae.name,
  frames: motionVae.frames, locked: motionVae.locked, task: motionVae.task, status: motionVae.status,
  degrees: motionVae.degrees, held: motionVae.held,
}));

async function hold(page, key, steps) {
  const before = await state(page);
  if (key) await page.keyboard.down(key);
  await page.waitForFunction((end) => motionVae.steps >= end, before.steps + steps, { timeout: 30000 });
  if (key) await page.keyboard.up(key);
  return state(page);
}

async function picture(page, name) {
  if (plan.pictures) await page.screenshot({ path: `${plan.pictures}/${name}.png` });
}

/** Bytes that the page's scripts use, after the garbage is collected. */
async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  return (await session.send("Runtime.getHeapUsage")).usedSize;
}

async function watch(page) {
  const sizes = [];
  await page.keyboard.down("w");
  for (let i = 0; i <= 4; i++) {
    await page.waitForTimeout(i ? (1000 * plan.seconds) / 4 : 3000);
    sizes.push(await heap(page));
  }
  await page.keyboard.up("w");
  return sizes;
}

/** On a phone: a finger on the left half of the screen walks. */
async function touch() {
  const phone = { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true };
  const page = await open(plan.url, phone);
  const before = await state(page);
  const session = await page.context().newCDPSession(page);
  const send = (type, points) =>
    session.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y]) => ({ x, y, id: 1 })) });
  await send("touchStart", [[100, 550]]);
  await send("touchMove", [[100, 500]]);
  const after = await hold(page, "", 30);
  await picture(page, "upright");
  await send("touchEnd", []);
  await page.touchscreen.tap(300, 480);
  told.flag = await page.evaluate(() => motionVae.flag);
  await picture(page, "flag");
  await page.waitForFunction(() => !motionVae.flag, null, { timeout: 30000 });
  told.reached = await hold(page, "", 15);
  await page.setViewportSize({ width: 700, height: 330 });
  await page.tap("button[data-act=help]");
  await hold(page, "", 4);
  await picture(page, "sideways");
  await page.close();
  return [before, after];
}

/** The joints before and after a key, while time stands still. */
async function around(page, key) {
  const joints = () => page.evaluate(() => motionVae.joints);
  await page.keyboard.press("Space");
  const before = await joints();
  await page.keyboard.press(key);
  const after = await joints();
  await page.keyboard.press("Space");
  return [before, after];
}

/** Steps while the page is hidden, and after that. */
function hide(page) {
  return page.evaluate(async () => {
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const set = (hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    set(true);
    const start = motionVae.steps;
    await wait(300);
    const hidden = motionVae.steps - start;
    set(false);
    while (motionVae.steps < start + 2) await wait(20);
    return hidden;
  });
}

/** Each task: what a key does, and what pointing does there. */
async function tasks(page) {
  const seen = {};
  await page.keyboard.press("r");
  await page.keyboard.press("2");
  seen.target = { ...(await hold(page, "", 24)), flag: await page.evaluate(() => motionVae.flag) };
  await page.keyboard.press("4");
  seen.path = await hold(page, "", 45);
  seen.path.off = await page.evaluate(() => motionVae.off);
  await page.mouse.move(140, 215);
  await page.mouse.down();
  for (let i = 1; i <= 12; i++) await page.mouse.move(140 + 10 * i, 215 - 25 * Math.sin(i / 4));
  await page.mouse.up();
  seen.line = await page.evaluate(() => motionVae.line);
  seen.drawn = await hold(page, "", 50);
  seen.drawn.off = await page.evaluate(() => motionVae.off);
  await page.keyboard.press("6");
  const crowd = () => page.evaluate(() => motionVae.crowd);
  seen.crowd = { ...(await hold(page, "", 1)), first: await crowd() };
  await page.keyboard.press("n");
  Object.assign(seen.crowd, await hold(page, "", 34), { last: await crowd() });
  await page.keyboard.press("1");
  seen.alone = await hold(page, "", 1);
  seen.alone.crowd = await crowd();
  await page.keyboard.press("7");
  seen.random = await hold(page, "", 20);
  await page.click("button[data-act=panel]");
  await page.evaluate(() => {
    const slider = document.querySelector("#latents input");
    slider.value = "1.5";
    slider.dispatchEvent(new Event("input"));
  });
  seen.held = await hold(page, "", 5);
  await page.keyboard.press("1");
  await page.keyboard.press("r");
  await page.keyboard.press("g");
  await page.keyboard.press("i");
  seen.slope = await hold(page, "w", 45);
  return seen;
}

const page = await open(plan.url);
told.first = await page.evaluate(() => motionVae.firstPicture);
told.start = await state(page);
told.walked = await hold(page, "w", 45);
await picture(page, "walked");
told.turned = await hold(page, "a", 36);
told.locked = await hold(page, "f", 3);
told.backed = await hold(page, "s", 36);
told.taken = await around(page, "Tab");
told.switched = await hold(page, "s", 1);
await picture(page, "switched");
const replay = await page.evaluate((stick) => motionVae.replay(stick), plan.stick);
told.replay = replay;
const short = plan.stick.slice(0, 240);
told.flat = await page.evaluate((stick) => motionVae.replay(stick, true), short);
told.sloped = await page.evaluate((stick) => motionVae.replay(stick, true, 12), short);
told.hidden = await hide(page);
told.tasks = await tasks(page);
if (plan.seconds) {
  told.milliseconds = await page.evaluate(() => [motionVae.time(1, 200), motionVae.time(50, 100)]);
  told.heap = await watch(page);
}
await page.close();
told.touched = await touch();
if (plan.example) {
  const own = await (await browser.newContext({ viewport: { width: 160, height: 120 } })).newPage();
  own.on("console", (message) => told.complaints.push(`${message.type()}: ${message.text()}`));
  own.on("pageerror", (error) => told.complaints.push(error.message));
  await own.goto(plan.example);
  await own.waitForFunction(() => window.crowd?.places[2] > 0.5, null, { timeout: 30000 });
  told.example = await own.evaluate(() => [...crowd.places]);
  if (plan.pictures) await own.screenshot({ path: `${plan.pictures}/example.png` });
  await own.close();
}
told.errors = [];
const complaints = [...told.complaints];
let broken = null;
for (const url of plan.broken) {
  broken ??= await open(url);
  await broken.goto(url);
  await broken.waitForSelector("#error:not([hidden])");
  told.errors.push(await broken.textContent("#error"));
}
told.complaints = complaints; // a page that says what is wrong may do so in the console as well
await browser.close();
process.stdout.write(JSON.stringify(told));
