/*
 * The pages of a CRM in Chromium: that they are drawn, complete, accessible and
 * harmless at three widths, light and dark, and that deals can be moved.  Prints TAP.
 *
 *	node page.mjs DATABASE SOURCES [SCREENSHOTS]
 *
 * The database has the CRM of data.sql.  SOURCES is the folder of the project;
 * pictures of the pages go to SCREENSHOTS, if given.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

import pg from "pg";
import { chromium } from "playwright-core";

import { start } from "./postgrest.mjs";

const [, , database, sources, screenshots] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const widths = [360, 768, 1280];
let count = 0;
let failed = 0;

function ok(passed, name, detail) {
	console.log(`${passed ? "ok" : "not ok"} ${++count} - ${name}`);
	if (!passed) {
		failed++;
		console.log(`# ${JSON.stringify(detail) ?? "failed"}`);
	}
}

const same = (got, wanted, name) => ok(JSON.stringify(got) === JSON.stringify(wanted), name, { got, wanted });

const client = new pg.Client({ database });
await client.connect();
const one = async (query, ...args) => Object.values((await client.query(query, args)).rows[0] ?? {})[0];
const sales = await one("SELECT id FROM crm.pipelines WHERE name LIKE 'Sales%'");
const big = await one("SELECT id FROM crm.pipelines WHERE name = 'Big'");
const file = path.join(os.tmpdir(), `page-${process.pid}.html`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });

/* Opens a page; notes has what it asks for, and what goes wrong in it. */
async function open(url, { width = 1280, colorScheme = "light" } = {}) {
	const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
	const page = await context.newPage();
	const notes = { requests: [], errors: [] };
	page.on("request", (request) => notes.requests.push(request.url()));
	page.on("pageerror", (error) => notes.errors.push(error.message));
	page.on("console", (message) => message.type() === "error" && notes.errors.push(message.text()));
	await page.goto(url);
	return { context, page, notes };
}

/* The policy of the page forbids scripts of others: axe is run by the debugger. */
async function violations(page) {
	await page.evaluate(axe);
	const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ["violations"] })).violations);
	return found.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary}`);
}

/* ---- as a file, at three widths, light and dark ---- */

for (const dist of ["uPlot.iife.min.js", "uPlot.min.css"])
	ok(readFileSync(`${sources}/sql/page/${dist}`).equals(readFileSync(`node_modules/uplot/dist/${dist}`)),
		`${dist} is that of the package`);
// What the minified file is made of, as Debian wants it beside it.
ok(readFileSync(`${sources}/debian/missing-sources/uPlot.iife.js`).equals(readFileSync("node_modules/uplot/dist/uPlot.iife.js")), "so is its source");
ok(readFileSync(`${sources}/sql/page/uPlot.LICENSE`).equals(readFileSync("node_modules/uplot/LICENSE")), "so is its licence");

for (const [name, html] of [
	["board", await one("SELECT crm.board_page()")],
	["pipeline", await one("SELECT crm.pipeline_page($1)", sales)]]) {
	ok(html.includes("Copyright (c) 2022 Leon Sorokin"), `${name}: has the licence`);
	writeFileSync(file, html);
	for (const width of widths) {
		for (const colorScheme of width === 768 ? ["dark"] : ["light", "dark"]) {
			const label = `${name}, ${width} wide, ${colorScheme}`;
			const { context, page, notes } = await open(`file://${file}`, { width, colorScheme });
			same(await violations(page), [], `${label}: axe finds nothing`);
			same(notes.requests.filter((url) => !url.startsWith("file://")), [], `${label}: loads nothing`);
			same(notes.errors, [], `${label}: no errors, nothing blocked`);
			same(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${label}: does not scroll sideways`);
			if (screenshots)
				await page.screenshot({ path: `${screenshots}/${label.replaceAll(/, | /g, "-")}.png`, fullPage: name === "pipeline" });
			await context.close();
		}
	}
}

{
	const { context, page } = await open(`file://${file}`);
	const titles = await page.locator(".card strong").allTextContents();
	for (const title of ['<img src=x onerror="hacked()">', "</script><script>hacked()</script>", "<!--<script>"])
		ok(titles.includes(title), `${title} is shown as it is`, titles);
	same(await page.evaluate(() => typeof hacked + document.scripts.length + document.images.length), "undefined30", "and is no HTML");
	ok((await page.title()).includes("</script>"), "nor is the name of the pipeline");
	ok((await page.locator("main").textContent()).includes("EUR\u00a0999,999,999,999,999.1234"), "an amount beyond a number of JavaScript is exact");
	same(await page.locator("main > section").evaluateAll((all) => all.map((part) => part.id)),
		["board", "funnel", "value", "forecast", "trend", "waterfall", "times", "closed", "rotting", "changes"], "all parts are there");
	ok(await page.locator("#trend canvas").evaluateAll((all) => all.length === 2 && all.every((canvas) =>
		canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0))),
	"the trend is drawn for each currency");
	same(await page.locator("#trend details tbody tr").count(), 2 * 53, "with a table behind it");
	const won = await one("SELECT sum(won)::int FROM crm.win_rate($1)", sales);
	same(await page.locator("#closed tbody tr").first().locator("td").first().textContent(), String(won), "won deals are those of win_rate");
	ok(await page.locator("#waterfall .fill:not([hidden])").first().evaluate((fill) =>
		fill.getBoundingClientRect().width > 0), "bars have a width");
	same(await page.locator(".card button").count(), 0, "in a file nothing can be moved");
	await context.close();
}

/* ---- served: moving deals ---- */

const { server, origin } = await start(client);
const stageOf = (title) => one("SELECT s.name FROM crm.deals AS d JOIN crm.stages AS s ON s.id = d.stage_id WHERE d.title = $1", title);
const shownIn = (page, title) => page.locator(".column", { has: page.locator(".card strong").getByText(title, { exact: true }) })
	.locator("h3").first().textContent();
const cardOf = (page, title) => page.locator(".card", { has: page.getByText(title, { exact: true }) });
const columnOf = (page, name) => page.locator("#board .column", { has: page.getByRole("heading", { name, exact: true }) });
{
	const { context, page, notes } = await open(`${origin}/rpc/pipeline_page?pipeline_id=${sales}`);
	same(await violations(page), [], "served: axe finds nothing");

	const refreshed = () => page.waitForResponse((reply) => reply.url().includes("pipeline_page"));
	let done = refreshed();
	await cardOf(page, "To be moved").dragTo(columnOf(page, "<b>Offer</b>"));
	await done;
	same(await stageOf("To be moved"), "<b>Offer</b>", "a card that is dragged moves the deal");
	same(await shownIn(page, "To be moved"), "<b>Offer</b>", "and is shown there");
	await page.waitForFunction(() => document.querySelector("#changes").textContent.includes("To be moved"));
	ok(true, "and the page is brought up to date");

	/* By keyboard alone. */
	done = refreshed();
	await page.getByRole("button", { name: "Move To be lost" }).focus();
	await page.keyboard.press("Enter");
	same(await page.evaluate(() => document.activeElement.tagName), "SELECT", "by keyboard: the stage is asked for");
	await page.keyboard.press("l");
	await page.keyboard.press("o");
	same(await violations(page), [], "axe finds nothing in the dialog");
	await page.keyboard.press("Tab");
	await page.keyboard.type("<u>budget</u>");
	await page.keyboard.press("Enter");
	await done;
	same(await stageOf("To be lost"), "Lost", "and the deal moved");
	same(await one("SELECT lost_reason FROM crm.deals WHERE title = 'To be lost'"), "<u>budget</u>", "with its reason");
	await page.waitForFunction(() => document.activeElement.getAttribute("aria-label") === "Move To be lost");
	ok(true, "and the focus is where it was");
	await page.getByRole("button", { name: "Move To be refused" }).focus();
	await page.keyboard.press("Enter");
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => document.querySelector("dialog") === null);
	ok(true, "Escape leaves it");

	/* Somebody else was faster. */
	await client.query("SELECT crm.move_deal(d.id, s.id) FROM crm.deals AS d, crm.stages AS s WHERE d.title = 'To be refused' AND s.name = 'Won' AND s.pipeline_id = d.pipeline_id");
	const { message, hint } = await client.query("SELECT crm.move_deal(d.id, o.id, expected_stage_id => l.id) FROM crm.deals AS d, crm.stages AS o, crm.stages AS l WHERE d.title = 'To be refused' AND o.name = '<b>Offer</b>' AND l.name = 'Lead'")
		.catch((error) => error);
	await cardOf(page, "To be refused").dragTo(columnOf(page, "<b>Offer</b>"));
	await page.waitForFunction(() => document.querySelector("[role=alert]").textContent !== "");
	const alert = await page.locator("[role=alert]").textContent();
	ok(message && hint && alert.includes(message) && alert.includes(hint), "a refusal is shown with its hint", { alert, message, hint });
	same(await shownIn(page, "To be refused"), "Lead", "and the card is put back");
	same(await violations(page), [], "axe finds nothing then");
	await page.getByRole("button", { name: "Refresh" }).click();
	await page.waitForFunction(() => [...document.querySelectorAll("#board .column")].find((one) =>
		one.querySelector("h3").textContent === "Won").textContent.includes("To be refused"));
	ok(true, "Refresh shows where it is");
	same(notes.errors.filter((text) => !text.includes("409")), [], "no errors, nothing blocked");
	await context.close();
}

/* ---- 10,000 deals ---- */

{
	const { context, page } = await open(`${origin}/rpc/pipeline_page?pipeline_id=${big}`, { width: 1280 });
	same(await page.locator(".card").count(), 250, "of 10,000 deals 50 a column are shown");
	const more = page.getByRole("button", { name: "Show 50 more" }).first();
	await more.focus();
	await page.keyboard.press("Enter");
	same(await page.locator(".column").first().locator(".card").count(), 100, "and more on demand");
	same(await page.evaluate(() => [...document.querySelector(".cards").children].indexOf(document.activeElement)), 50, "the focus is on the first of them");
	const times = await page.evaluate(async () => {
		const started = performance.now();
		document.querySelectorAll(".rest button").forEach((button) => button.click());
		await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
		return performance.now() - started;
	});
	ok(times < 2000, `250 more cards are drawn at once (${Math.round(times)} ms)`, times);
	const moved = await page.locator(".card strong").first().textContent();
	const done = page.waitForResponse((reply) => reply.url().includes("move_deal"));
	await cardOf(page, moved).dragTo(page.locator(".column").nth(1), { targetPosition: { x: 40, y: 40 } });
	const answer = await done;
	same([answer.status(), JSON.parse(await answer.text()).title, await stageOf(moved)], [200, moved, "Two"], "a card of 10,000 can be dragged");
	await context.close();
}

await browser.close();
server.close();
await client.end();
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
