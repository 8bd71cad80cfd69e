/*
 * What PostgREST does with /rpc/mcp, for tests: it finds the function by the
 * keys of the body, picks the media type by Accept, and calls the function in a
 * transaction with the settings that describe the request.  The names of
 * PostgREST's own functions are given where one is imitated.
 */
import http from "node:http";
import pg from "pg";

/* negotiateContent: the first type of Accept that can be made. */
function mediaType(accept) {
	for (const item of (accept ?? "*/*").split(",")) {
		const type = item.split(";")[0].trim().toLowerCase();
		if (type === "application/json" || type === "*/*")
			return "application/json; charset=utf-8";
		if (type === "text/event-stream")
			return type;
	}
	return null;
}

/*
 * payloadAttributes and findProc: a body without keys calls mcp(), as does GET;
 * any other one the function with a single unnamed argument.
 */
function callFor(method, body) {
	if (method !== "POST")
		return { sql: "SELECT mcp()", values: [] };
	const payload = body === "" ? {} : JSON.parse(body);
	let keys = [];
	if (Array.isArray(payload) && payload.length > 0) {
		const uniform = payload.map((o) => o !== null && typeof o === "object" && JSON.stringify(Object.keys(o).sort()));
		if (uniform.some((k) => k === false || k !== uniform[0]))
			throw new SyntaxError("All object keys must match");
		keys = Object.keys(payload[0]);
	} else if (payload !== null && typeof payload === "object" && !Array.isArray(payload)) {
		keys = Object.keys(payload);
	}
	if (keys.length === 0)
		return { sql: "SELECT mcp()", values: [] };
	return { sql: "SELECT mcp($1::json)", values: [body] };
}

/* txVarQuery: the settings of the transaction. */
async function setUp(client, request, { schema, role, claims }) {
	const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== "cookie"));
	const settings = {
		search_path: `"${schema}", extensions`,
		role,
		"request.jwt.claims": JSON.stringify({ ...claims, role }),
		"request.method": request.method,
		"request.path": "/rpc/mcp",
		"request.headers": JSON.stringify(headers),
	};
	for (const [name, value] of Object.entries(settings))
		await client.query("SELECT set_config($1, $2, true)", [name, value]);
}

const statusOf = (code) =>
	({ 42501: 403, 23505: 409, 23503: 409, 54001: 500, "57014": 500 })[code] ??
	(code?.startsWith("PT") ? Number(code.slice(2)) : 400);

async function answer(pool, request, body, options) {
	const type = mediaType(request.headers.accept);
	if (!["GET", "HEAD", "POST"].includes(request.method))
		return { status: 405, type: "application/json", body: '{"code":"PGRST101"}' };
	if (type === null)
		return { status: 406, type: "application/json", body: '{"code":"PGRST107"}' };
	let call;
	try {
		call = callFor(request.method, body);
	} catch (error) {
		return { status: 400, type: "application/json", body: JSON.stringify({ code: "PGRST102", message: error.message }) };
	}
	const client = await pool.connect();
	try {
		await client.query(request.method === "POST" ? "BEGIN READ WRITE" : "BEGIN READ ONLY");
		await setUp(client, request, options);
		const { rows } = await client.query(call.sql + "::text AS body", call.values);
		const after = await client.query("SELECT nullif(current_setting('response.status', true), '') AS status," +
			" nullif(current_setting('response.headers', true), '') AS headers");
		await client.query("COMMIT");
		return {
			status: Number(after.rows[0].status ?? 200),
			type,
			headers: JSON.parse(after.rows[0].headers ?? "[]"),
			body: rows[0].body ?? "null",
		};
	} catch (error) {
		await client.query("ROLLBACK");
		return {
			status: statusOf(error.code),
			type: "application/json",
			body: JSON.stringify({ code: error.code, message: error.message, details: error.detail, hint: error.hint }),
		};
	} finally {
		client.release();
	}
}

/* Starts a bridge at a free port of 127.0.0.1; returns its URL and its end. */
export async function startBridge(options) {
	const pool = new pg.Pool({ max: 4, database: options.database });
	const server = http.createServer((request, response) => {
		let body = "";
		request.setEncoding("utf8");
		request.on("data", (chunk) => (body += chunk));
		request.on("end", async () => {
			const reply = await answer(pool, request, body, options);
			response.statusCode = reply.status;
			response.setHeader("Content-Type", reply.type);
			for (const header of reply.headers ?? [])
				for (const [name, value] of Object.entries(header))
					response.setHeader(name, value);
			response.end(request.method === "HEAD" ? undefined : reply.body);
		});
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${server.address().port}/mcp`,
		close: async () => {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
			await pool.end();
		},
	};
}
