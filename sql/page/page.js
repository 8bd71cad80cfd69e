/*
 * Draws a page of a CRM from the JSON in #data, and moves deals where PostgREST
 * serves it.
 *
 * What comes from the data is put into the page as text, never as HTML.  Amounts are
 * texts and are shown exactly; only the lengths of bars are numbers.
 */
"use strict";
{
	const step = 50;			/* cards of a column that are shown at once */
	const served = /^https?:$/.test(location.protocol) &&
		/\/rpc\/(board|pipeline)_page$/.test(location.pathname);
	const read = (page) => JSON.parse(page.getElementById("data").textContent);
	const shown = new Map();	/* stage: how many cards */
	let data = read(document);
	let charts = [];
	let dragged = null;			/* the card, and its stage */

	/* ---- elements ---- */

	function element(name, properties = {}, ...children) {
		const made = document.createElement(name);
		for (const [key, value] of Object.entries(properties)) {
			if (key in made)
				made[key] = value;
			else
				made.setAttribute(key, value);
		}
		made.append(...children.filter((child) => child !== null));
		return made;
	}

	const count = (number) => new Intl.NumberFormat("en").format(number);
	const percent = (share) => (share === null ? "–"
		: new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 }).format(share));
	const words = (name) => name.replaceAll("_", " ");
	const day = (time) => (/infinity/.test(time) ? time : new Date(time).toISOString().slice(0, 10));

	/* Intl takes a decimal as text and rounds nothing that it has digits for. */
	function money(amount, currency, per) {
		if (amount === null || amount === undefined)
			return "–";
		const format = { maximumFractionDigits: 8 };
		const text = new Intl.NumberFormat("en", currency
			? { style: "currency", currency, currencyDisplay: "code", ...format } : format).format(amount);
		return per && per !== "one_time" ? `${text} ${words(per)}` : text;
	}

	/* A bar from one share of its track to another. */
	function bar(from, to, kind = "") {
		const fill = element("span", { className: `fill ${kind}`, hidden: from === to });
		fill.style.marginLeft = `${from * 100}%`;
		fill.style.width = `${Math.max(0, to - from) * 100}%`;
		return element("span", { className: "track", "aria-hidden": "true" }, fill);
	}

	const largest = (rows, value) => Math.max(0, ...rows.map((row) => Math.abs(value(row)))) || 1;

	/*
	 * A table; columns are [heading, text of a row, bar of a row].  The last two are
	 * functions, without a bar the column is one of words unless number is said.
	 */
	function table(caption, columns, rows) {
		if (rows.length === 0)
			return element("p", { className: "soft" }, `${caption}: nothing to show.`);
		return element("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": caption },
			element("table", {}, element("caption", {}, caption),
				element("thead", {}, element("tr", {}, ...columns.map((column) => element("th",
					{ scope: "col", className: column.number ? "number" : "" }, column.title)))),
				element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map((column, n) => element(
					n === 0 ? "th" : "td",
					n === 0 ? { scope: "row" } : { className: column.number ? "number" : "" },
					String(column.text(row)), column.bar ? column.bar(row) : null)))))));
	}

	const text = (title, value) => ({ title, text: value });
	const number = (title, value, drawn) => ({ title, text: value, bar: drawn, number: true });

	/* A number with a bar of its share in the largest of the rows. */
	function measured(title, rows, value, written, kind) {
		const most = largest(rows, value);
		return number(title, written, (row) => bar(0, Math.abs(value(row)) / most, kind));
	}

	function section(id, title, ...children) {
		return element("section", { id, "aria-labelledby": `${id}-title` },
			element("h2", { id: `${id}-title` }, title), ...children);
	}

	function currencies(rows) {
		return [...new Set(rows.map((row) => row.currency))];
	}

	/* ---- the board ---- */

	function say(text) {
		document.getElementById("status").textContent = text;
	}

	function refuse(text) {
		document.getElementById("alert").textContent = text;
	}

	function card(pipeline, stage, deal) {
		const facts = [money(deal.amount, deal.currency, deal.per), deal.owner,
			deal.closes && `closes ${deal.closes}`].filter(Boolean).join(" · ");
		const item = element("li", { className: deal.rotting ? "card rotting" : "card" },
			element("strong", {}, deal.title),
			element("p", { className: "soft" }, facts),
			element("p", { className: "soft" }, `since ${day(deal.since)}${deal.rotting ? " · rotting" : ""}`),
			served ? element("button", { type: "button", id: `move-${deal.id}`, "aria-label": `Move ${deal.title}`,
				onclick: () => ask(pipeline, stage, deal) }, "Move") : null);
		if (served) {
			item.draggable = true;
			item.ondragstart = (event) => {
				dragged = { pipeline, stage, deal };
				event.dataTransfer.effectAllowed = "move";
				event.dataTransfer.setData("text/plain", deal.title);
			};
			item.ondragend = () => {
				dragged = null;
			};
		}
		return item;
	}

	/* The cards of a column, and a button for more of them; focus goes to the first new one. */
	function fill(column, pipeline, stage) {
		const list = column.querySelector(".cards");
		const until = Math.min(stage.cards.length, shown.get(stage.id) ?? step);
		const from = list.children.length;
		list.append(...stage.cards.slice(from, until).map((deal) => card(pipeline, stage, deal)));
		column.querySelector(".rest")?.remove();
		const rest = element("div", { className: "rest" });
		if (until < stage.cards.length)
			rest.append(element("button", { type: "button", onclick: () => {
				shown.set(stage.id, until + step);
				fill(column, pipeline, stage);
				const first = list.children[until];
				first.tabIndex = -1;
				first.focus();
			} }, `Show ${count(Math.min(step, stage.cards.length - until))} more`));
		rest.append(element("p", { className: "soft" }, `${count(until)} of ${count(stage.deals)} shown`));
		if (until < stage.deals)
			column.append(rest);
	}

	function column(pipeline, stage) {
		const made = element("div", { className: "column", role: "group", "aria-labelledby": `stage-${stage.id}` },
			element("h3", { id: `stage-${stage.id}` }, stage.name),
			element("p", { className: "soft" },
				`${stage.status === "open" ? "" : `${stage.status} · `}${count(stage.deals)} ${stage.deals === 1 ? "deal" : "deals"}`),
			...stage.amounts.map((sum) => element("p", { className: "soft" },
				money(sum.value, sum.currency, sum.per))),
			element("ul", { className: "cards", "aria-labelledby": `stage-${stage.id}` }));
		fill(made, pipeline, stage);
		made.ondragover = (event) => {
			if (dragged?.pipeline !== pipeline || dragged.stage === stage)
				return;
			event.preventDefault();
			made.classList.add("over");
		};
		made.ondragleave = (event) => {
			if (!made.contains(event.relatedTarget))
				made.classList.remove("over");
		};
		made.ondrop = (event) => {
			event.preventDefault();
			made.classList.remove("over");
			if (dragged === null)
				return;
			const { stage: from, deal } = dragged;
			dragged = null;
			if (stage.status === "lost")
				ask(pipeline, from, deal, stage);
			else
				move(pipeline, from, stage, deal, null);
		};
		return made;
	}

	function board(pipeline, n) {
		return section(n === 0 ? "board" : `board-${n}`, pipeline.name,
			element("div", { className: "board", tabIndex: 0, role: "region", "aria-label": `Board of ${pipeline.name}` },
				...pipeline.stages.map((stage) => column(pipeline, stage))));
	}

	/* ---- moving a deal ---- */

	/* By keyboard, or where a reason is asked for: to which stage? */
	function ask(pipeline, from, deal, to = null) {
		const stages = pipeline.stages.filter((stage) => stage !== from);
		const choice = element("select", {}, ...stages.map((stage) => element("option",
			{ value: stage.id, selected: stage === to }, stage.name)));
		const reason = element("input", { type: "text" });
		const asked = element("label", {}, "Lost because (may be empty)", reason);
		const target = () => stages.find((stage) => stage.id === choice.value);
		const dialog = element("dialog", { "aria-labelledby": "move-title" },
			element("form", { onsubmit: (event) => {
				event.preventDefault();
				dialog.close();
				move(pipeline, from, target(), deal,
					target().status === "lost" ? reason.value.trim() || null : null);
			} },
			element("h2", { id: "move-title" }, `Move ${deal.title}`),
			element("label", {}, "To stage", choice), asked,
			element("button", { type: "submit" }, "Move"), " ",
			element("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
		choice.onchange = () => {
			asked.hidden = target()?.status !== "lost";
		};
		choice.onchange();
		dialog.onclose = () => dialog.remove();
		document.body.append(dialog);
		dialog.showModal();
	}

	function put(deal, from, to, place = 0) {
		from.cards.splice(from.cards.indexOf(deal), 1);
		to.cards.splice(place, 0, deal);
		from.deals--;
		to.deals++;
	}

	/* What a refusal of PostgREST says; the text of any other answer is of no use here. */
	async function reason(answer) {
		const said = await answer.json().catch(() => ({}));
		return [said.message ?? `The server answered ${answer.status}.`, said.details, said.hint]
			.filter(Boolean).join("\n");
	}

	/* The card goes to its column at once, and back if the server refuses. */
	async function move(pipeline, from, to, deal, lostReason) {
		const place = from.cards.indexOf(deal);
		const body = { deal_id: deal.id, stage_id: to.id, expected_stage_id: from.id };
		if (lostReason !== null)
			body.lost_reason = lostReason;
		refuse("");
		put(deal, from, to);
		draw();
		document.getElementById(`move-${deal.id}`)?.focus();
		try {
			const answer = await fetch(new URL("move_deal", location.href), { method: "POST",
				headers: { "Content-Type": "application/json", Accept: "application/json" },
				body: JSON.stringify(body) });
			if (!answer.ok)
				throw new Error(await reason(answer));
		} catch (error) {
			put(deal, to, from, place);
			draw();
			document.getElementById(`move-${deal.id}`)?.focus();
			refuse(`${deal.title} stays in ${from.name}.\n${error.message}`);
			return;
		}
		say(`${deal.title} moved to ${to.name}.`);
		await refresh(deal);
	}

	async function refresh(deal) {
		try {
			const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
			if (!answer.ok)
				throw new Error(await reason(answer));
			data = read(new DOMParser().parseFromString(await answer.text(), "text/html"));
		} catch (error) {
			refuse(`The page could not be brought up to date.\n${error.message}`);
			return;
		}
		const focused = deal ? `move-${deal.id}` : document.activeElement?.id;
		draw();
		if (focused)
			document.getElementById(focused)?.focus();
	}

	/* ---- reports ---- */

	function funnel(rows) {
		return section("funnel", "Funnel", table("Deals that reached each stage", [
			text("Stage", (row) => row.stage),
			measured("Deals", rows, (row) => row.deals, (row) => count(row.deals)),
			number("Got further", (row) => (row.converted === null ? "–" : count(row.converted))),
			number("Conversion", (row) => percent(row.conversion)),
			number("Won", (row) => count(row.won)),
			number("Lost", (row) => count(row.lost)),
			number("Still open", (row) => count(row.open)),
		], rows));
	}

	function value(pipeline) {
		const rows = pipeline.stages.flatMap((stage) => stage.amounts.map((sum) => ({ stage: stage.name, ...sum })));
		const sums = [...new Set(rows.map((row) => `${row.currency} ${row.per}`))].map((key) =>
			rows.filter((row) => `${row.currency} ${row.per}` === key));
		return section("value", "Value by stage", ...sums.map((same) => table(
			`In ${same[0].currency}${same[0].per === "one_time" ? "" : `, ${words(same[0].per)}`}`, [
				text("Stage", (row) => row.stage),
				measured("Value", same, (row) => Number(row.value), (row) => money(row.value, row.currency)),
				measured("Weighted value", same, (row) => Number(row.weighted), (row) => money(row.weighted, row.currency)),
			], same)), sums.length === 0 ? element("p", { className: "soft" }, "No deal has an amount.") : null);
	}

	function forecast(rows) {
		const when = (row) => (row.bucket === "period" ? row.start.slice(0, 7) : words(row.bucket));
		return section("forecast", "Forecast", ...currencies(rows).map((currency) => {
			const same = rows.filter((row) => row.currency === currency);
			const most = Math.max(...["won", "commit", "best_case", "pipeline", "omitted", "weighted"].map((name) =>
				largest(same, (row) => Number(row[name]))));
			const amount = (title, name, kind) => number(title, (row) => money(row[name], null),
				(row) => bar(0, Math.abs(Number(row[name])) / most, kind));
			return table(`By month and category, in ${currency}`, [
				text("Month", when), amount("Won", "won", "up"), amount("Commit", "commit"),
				amount("Best case", "best_case"), amount("Pipeline", "pipeline"), amount("Omitted", "omitted"),
				amount("Open, weighted", "weighted"),
			], same);
		}), rows.length === 0 ? element("p", { className: "soft" }, "Nothing is expected.") : null);
	}

	/* The lines of a currency, by uPlot on a canvas; the table behind them has the same figures. */
	function trend(rows) {
		return section("trend", "Trend", ...currencies(rows).map((currency) => {
			const same = rows.filter((row) => row.currency === currency);
			const first = same[0];
			const last = same[same.length - 1];
			const canvas = element("div", { role: "img", "aria-label":
				`Open value in ${currency}: ${money(first.open, null)} on ${day(first.at * 1000)}, ` +
				`${money(last.open, null)} on ${day(last.at * 1000)}` });
			charts.push({ canvas, same });
			return element("div", {},
				element("p", { className: "soft" }, `In ${currency}: `, element("span", { className: "key open" }), "open value, ",
					element("span", { className: "key weighted" }), "weighted value"),
				canvas,
				element("details", {}, element("summary", {}, `Table of the trend in ${currency}`),
					table(`Each week, in ${currency}`, [
						text("Day", (row) => day(row.at * 1000)),
						number("Open deals", (row) => count(row.deals)),
						number("Open value", (row) => money(row.open, null)),
						number("Weighted value", (row) => money(row.weighted, null)),
						number("Won value", (row) => money(row.won, null)),
						number("Lost deals", (row) => count(row.lost)),
					], same)));
		}));
	}

	function plot({ canvas, same }) {
		const style = getComputedStyle(document.documentElement);
		const color = (name) => style.getPropertyValue(name).trim();
		const axis = { stroke: color("--text"), grid: { stroke: color("--line") }, ticks: { stroke: color("--line") } };
		canvas.replaceChildren();
		return new uPlot({
			width: Math.max(200, canvas.clientWidth), height: 260,
			legend: { show: false }, cursor: { show: false },
			scales: { y: { range: (self, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] } },
			axes: [axis, { ...axis, size: 70, values: (self, ticks) => ticks.map((tick) =>
				new Intl.NumberFormat("en", { notation: "compact" }).format(tick)) }],
			series: [{},
				{ label: "open", stroke: color("--bar"), width: 2 },
				{ label: "weighted", stroke: color("--other"), width: 2, dash: [6, 4] }],
		}, [same.map((row) => row.at), same.map((row) => Number(row.open)), same.map((row) => Number(row.weighted))], canvas);
	}

	function plotAll() {
		charts.forEach(plot);
	}

	function waterfall(rows, from) {
		return section("waterfall", "Waterfall", ...currencies(rows).map((currency) => {
			let sum = 0;
			const steps = rows.filter((row) => row.currency === currency).map((row) => {
				const total = row.bar === "opening" || row.bar === "closing";
				const from = total ? 0 : sum;
				sum = from + Number(row.value);
				return { ...row, from: Math.min(from, sum), to: Math.max(from, sum),
					kind: total ? "" : Number(row.value) < 0 ? "down" : "up", total };
			});
			const low = Math.min(0, ...steps.map((row) => row.from));
			const high = Math.max(...steps.map((row) => row.to), low + 1e-9);
			const share = (at) => (at - low) / (high - low);
			return table(`Open value in ${currency} since ${day(from)}`, [
				text("", (row) => words(row.bar)),
				number("Changes", (row) => (row.total ? "–" : count(row.changes))),
				number("Deals", (row) => count(row.deals)),
				number("Value", (row) => money(row.value, null), (row) => bar(share(row.from), share(row.to), row.kind)),
			].map((column) => (column.title === "" ? { ...column, title: "What happened" } : column)),
			steps.filter((row) => row.total || row.changes > 0));
		}));
	}

	function times(rows) {
		const days = (row, name) => (row[name] === null ? "–" : count(row[name]));
		return section("times", "Time in stage", table("Days of each stay that has ended", [
			text("Stage", (row) => row.stage),
			number("Stays", (row) => count(row.visits)),
			measured("Average", rows, (row) => row.average ?? 0, (row) => days(row, "average")),
			measured("Median", rows, (row) => row.median ?? 0, (row) => days(row, "median")),
			number("90 % within", (row) => days(row, "p90")),
			number("Longest", (row) => days(row, "max")),
		], rows));
	}

	function closed(rows, reasons) {
		const sides = rows.flatMap((row) => [
			{ name: "Won", deals: row.won, share: row.rate, kind: "up" },
			{ name: "Lost", deals: row.lost, share: row.rate === null ? null : 1 - row.rate, kind: "down" }]);
		const most = largest(sides, (row) => row.deals);
		return section("closed", "Won and lost", table("Closed deals", [
			text("Outcome", (row) => row.name),
			number("Deals", (row) => count(row.deals), (row) => bar(0, row.deals / most, row.kind)),
			number("Share", (row) => percent(row.share)),
		], sides), table("Lost by reason", [
			text("Reason", (row) => row.reason ?? "none given"),
			measured("Deals", reasons, (row) => row.deals, (row) => count(row.deals), "down"),
			number("Share", (row) => percent(row.share)),
			number("Value", (row) => money(row.value, row.currency)),
		], reasons));
	}

	function rotting(rows) {
		return section("rotting", "Rotting deals", table("The longest beyond their stage's days first", [
			text("Deal", (row) => row.title),
			text("Stage", (row) => row.stage),
			text("Owner", (row) => row.owner ?? "–"),
			number("Amount", (row) => money(row.amount, row.currency)),
			number("Days in stage", (row) => count(row.days)),
			measured("Days over", rows, (row) => row.over, (row) => count(row.over), "down"),
		], rows));
	}

	function changes(rows) {
		return section("changes", "Last changes", table("Of the last 90 days, the newest first", [
			text("When", (row) => new Date(row.at).toISOString().slice(0, 16).replace("T", " ")),
			text("What", (row) => row.text),
			text("By", (row) => row.by ?? "–"),
		], rows));
	}

	/* ---- the page ---- */

	function draw() {
		const place = [...document.querySelectorAll(".board")].map((one) => one.scrollLeft);
		const reports = data.reports;
		const rows = (name) => reports[name] ?? [];
		charts = [];
		const sections = data.pipelines.map(board);
		if (reports)
			sections.push(funnel(rows("funnel")), value(data.pipelines[0]), forecast(rows("forecast")), trend(rows("trend")),
				waterfall(rows("waterfall"), reports.waterfall_from), times(rows("times")), closed(rows("closed"), rows("reasons")),
				rotting(rows("rotting")), changes(rows("changes")));
		if (sections.length === 0)
			sections.push(element("p", {}, "There is no pipeline yet."));
		document.querySelector("main").replaceChildren(...sections);
		document.querySelector("nav ul").replaceChildren(...sections.filter((one) => one.id).map((one) =>
			element("li", {}, element("a", { href: `#${one.id}` }, one.querySelector("h2").textContent))));
		document.getElementById("at").textContent = `As of ${new Date(data.at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
		document.querySelectorAll(".board").forEach((one, n) => {
			one.scrollLeft = place[n] ?? 0;
		});
		plotAll();
	}

	document.body.append(
		element("header", {}, element("h1", {}, document.title), element("p", { className: "soft", id: "at" }),
			served ? element("button", { type: "button", id: "refresh", onclick: () => refresh(null) }, "Refresh") : null,
			element("nav", { "aria-label": "Parts of the page" }, element("ul"))),
		element("div", { id: "alert", className: "alert", role: "alert" }),
		element("div", { id: "status", className: "soft", role: "status" }),
		element("main"));
	draw();
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plotAll);
	let width = innerWidth;
	addEventListener("resize", () => {
		if (innerWidth !== width)
			plotAll();
		width = innerWidth;
	});
}
