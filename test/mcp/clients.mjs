/*
 * The official clients against a CRM: the SDK of the revisions with a handshake
 * (@modelcontextprotocol/sdk), its successor (@modelcontextprotocol/client) with
 * and without it, and the inspector's command line; each through crm-mcp and
 * over HTTP.  Prints TAP.
 *
 *	node clients.mjs DATABASE
 *
 * The database has the CRM crm, with the roles mcp_agent and mcp_admin.
 */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Ajv2020 } from "ajv/dist/2020.js";

import { startBridge } from "./bridge.mjs";

const database = process.argv[2];
const run = promisify(execFile);
const info = { name: "crm-test", version: "1" };
let count = 0;
let failed = 0;

function ok(passed, name, detail) {
	console.log(`${passed ? "ok" : "not ok"} ${++count} - ${name}`);
	if (!passed) {
		failed++;
		console.log(`# ${JSON.stringify(detail) ?? "failed"}`);
	}
}

/* Every tool that the roles of this test have in common. */
const expected = [
	"context_for_deal", "context_for_person", "deals_create", "deals_get", "deals_link_contact", "deals_list",
	"deals_move", "deals_tag", "deals_undo_move", "deals_update", "find", "pipelines_get", "pipelines_list", "report_value", "stages_get", "stages_list", "tags_create", "tags_get", "tags_list",
];

/* What an agent does, by any client; make returns one that is not connected. */
async function scenario(name, version, make, connect) {
	const client = make();
	await connect(client);
	ok(client.getServerVersion()?.name === "crm", `${name}: connected`, client.getServerVersion());
	if (version)
		ok(client.getNegotiatedProtocolVersion() === version, `${name}: speaks ${version}`,
			client.getNegotiatedProtocolVersion());

	const { tools } = await client.listTools();
	const names = tools.map((tool) => tool.name);
	ok(expected.every((tool) => names.includes(tool)), `${name}: the tools are listed`, names);
	const ajv = new Ajv2020({ strict: false, validateFormats: false });
	ok(tools.every((tool) => ajv.validateSchema(tool.inputSchema)), `${name}: their schemas are valid`, ajv.errors);
	ok(tools.find((tool) => tool.name === "deals_list").annotations.readOnlyHint === true &&
		tools.find((tool) => tool.name === "deals_create").annotations.readOnlyHint === false,
	`${name}: reading is told from writing`);

	const call = async (tool, args) => client.callTool({ name: tool, arguments: args });
	const deal = (await call("deals_create", { title: `Deal of ${name}`, amount: 1000.5 })).structuredContent;
	ok(deal?.amount === 1000.5 && deal.status === "open", `${name}: a deal is created`, deal);
	const stages = (await call("stages_list", { pipeline_id: deal.pipeline_id })).structuredContent.items;
	const won = stages.find((stage) => stage.deal_status === "won");
	const moved = await call("deals_move", { deal_id: deal.id, stage_id: won.id, expected_stage_id: deal.stage_id });
	ok(moved.structuredContent?.status === "won" && !moved.isError, `${name}: and moved`, moved);
	ok(moved.content[0].text.startsWith(`${deal.title} (${deal.id})`) && !moved.content[0].text.includes("{"),
		`${name}: the text is for reading`, moved.content);
	const stale = await call("deals_move", { deal_id: deal.id, stage_id: stages[0].id, expected_stage_id: deal.stage_id });
	ok(stale.isError && stale.structuredContent.code === "PT409", `${name}: a stale move is refused`, stale);
	const context = await call("context_for_deal", { deal_id: deal.id });
	ok(context.structuredContent.last_changes.length === 1 && context.structuredContent.stage.id === won.id,
		`${name}: its context is told`, context);

	const first = (await call("deals_list", { limit: 1 })).structuredContent;
	const second = first.next && (await call("deals_list", { limit: 1, cursor: first.next })).structuredContent;
	ok(first.items.length === 1 && (!second || second.items[0]?.id > first.items[0].id), `${name}: lists have pages`,
		[first, second]);

	const named = await call("deals_update", { id: deal.title, amount: "12345678901234.5678" });
	ok(named.structuredContent.amount === "12345678901234.5678", `${name}: a deal by its title, an amount without loss`, named);
	const summary = await call("report_value", { report: "pipeline_summary", pipeline_id: "sales" });
	ok(summary.structuredContent.won.total_deals > 0, `${name}: a report, of a pipeline by its name`, summary);
	const { resources } = await client.listResources();
	const { contents } = await client.readResource({ uri: resources[0].uri });
	ok(resources.length === 2 && JSON.parse(contents[0].text)[0].stages.length === 2, `${name}: the pipelines are a resource`, resources);
	const { prompts } = await client.listPrompts();
	const prompt = await client.getPrompt({ name: "qualify_deal", arguments: { deal: deal.title } });
	ok(prompts.length === 3 && prompt.messages[0].content.text.includes(deal.title), `${name}: prompts`, prompt);

	const bad = await call("deals_create", { titel: "x" });
	ok(bad.isError && bad.structuredContent.code === "22023", `${name}: wrong arguments are the tool's error`, bad);
	let refused;
	await call("pipelines_delete", { id: deal.pipeline_id }).catch((error) => (refused = error));
	ok(refused?.code === -32602, `${name}: a tool without the right to it is unknown`, refused);
	await client.close();
}

const crmMcp = { command: "crm-mcp", args: ["--role=mcp_agent", database], env: process.env, stderr: "pipe" };
const bridge = await startBridge({ database, schema: "crm", role: "mcp_agent", claims: { sub: "agent" } });

async function attempt(name, body) {
	try {
		await body();
	} catch (error) {
		ok(false, `${name}: no exception`, { message: String(error), stack: error?.stack });
	}
}

const transports = {
	stdio: [() => new StdioClientTransport(crmMcp), () => new ModernStdio(crmMcp)],
	HTTP: [() => new StreamableHTTPClientTransport(new URL(bridge.url)), () => new ModernHttp(new URL(bridge.url))],
};
for (const [over, [old, modern]] of Object.entries(transports)) {
	const clients = {
		"sdk": [null, () => new Client(info), old],
		"client, with handshake": ["2025-11-25", () => new ModernClient(info), modern],
		"client, of either kind": ["2026-07-28", () => new ModernClient(info, { versionNegotiation: { mode: "auto" } }), modern],
		"client, stateless": ["2026-07-28", () => new ModernClient(info, { versionNegotiation: { mode: { pin: "2026-07-28" } } }), modern],
	};
	for (const [name, [version, make, transport]] of Object.entries(clients))
		await attempt(`${name} over ${over}`, () =>
			scenario(`${name} over ${over}`, version, make, (client) => client.connect(transport())));
}

await attempt("ping", async () => {
	for (const [over, [old]] of Object.entries(transports)) {
		const client = new Client(info);
		await client.connect(old());
		await client.ping();
		ok(true, `ping over ${over}`);
		await client.close();
	}
});

/* The inspector's command line, as a user calls it. */
const inspector = path.join(path.dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json")),
	"clients/launcher/build/index.js");
const inspect = async (...args) => (await run(process.execPath, [inspector, "--cli", ...args], { maxBuffer: 1 << 26 })).stdout;
const variables = Object.entries(process.env).filter(([name]) => name.startsWith("PG")).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
for (const [over, target] of [["stdio", [crmMcp.command, database, ...variables]], ["HTTP", [bridge.url, "--transport", "http"]]]) {
	await attempt(`inspector over ${over}`, async () => {
		const listed = JSON.parse(await inspect(...target, "--method", "tools/list", "--strict"));
		ok(listed.tools.some((tool) => tool.name === "deals_move"), `inspector over ${over}: tools/list, strictly`, listed);
		const called = JSON.parse(await inspect(...target, "--method", "tools/call", "--tool-name", "deals_list",
			"--tool-arg", "limit=1"));
		ok(called.structuredContent.items.length === 1, `inspector over ${over}: tools/call`, called);
	});
}

/* HTTP itself. */
const post = (body, headers = {}) => fetch(bridge.url, {
	method: "POST", body: typeof body === "string" ? body : JSON.stringify(body),
	headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", ...headers },
});
await attempt("HTTP", async () => {
	const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
	let reply = await fetch(bridge.url, { headers: { Accept: "text/event-stream" } });
	ok(reply.status === 405 && reply.headers.get("allow") === "POST", "GET: 405", reply.status);
	reply = await fetch(bridge.url, { method: "DELETE" });
	ok(reply.status === 405, "DELETE: 405", reply.status);
	reply = await post({ jsonrpc: "2.0", method: "notifications/initialized" });
	ok(reply.status === 202, "a notification: 202", reply.status);
	reply = await post(ping, { Origin: "https://evil.example" });
	ok(reply.status === 403, "a foreign origin: 403", reply.status);
	reply = await post(ping, { Origin: "http://localhost:6274" });
	ok(reply.status === 200, "an origin of the own machine: 200", reply.status);
	for (const body of ["{}", "[]", "1", "null", ""]) {
		reply = await post(body);
		ok(reply.status === 400 && (await reply.json()).error.code === -32600, `the body ${body || "(none)"}: 400`, reply.status);
	}
	reply = await post(ping, { Accept: "text/event-stream, application/json" });
	ok(reply.headers.get("content-type").startsWith("application/json"), "a reply is JSON, whatever Accept prefers");
	reply = await post(ping, { "MCP-Protocol-Version": "1999-01-01" });
	ok(reply.status === 400 && (await reply.json()).error.data.supported.includes("2026-07-28"), "an unknown revision: 400");
	reply = await post([ping, { ...ping, id: 2 }]);
	ok((await reply.json()).length === 2, "a batch of the first revision");
});

/* What the conformance suite asks of any server; the rest asks for tools of its own. */
const conformance = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
for (const [revision, scenarios] of Object.entries({
	"2025-06-18": ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list"],
	"2025-11-25": ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection"],
	"2026-07-28": ["tools-list", "resources-list", "prompts-list", "http-header-validation", "dns-rebinding-protection"],
})) {
	for (const scenario of scenarios)
		await attempt(`conformance ${revision}`, async () => {
			const { stdout } = await run(process.execPath, [conformance, "server", "--url", bridge.url,
				"--spec-version", revision, "--scenario", scenario]);
			ok(/ 0 failed, 0 warnings/.test(stdout), `conformance of ${revision}: ${scenario}`, stdout);
		});
}

await bridge.close();
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
