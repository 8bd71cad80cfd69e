/*
 * A stand-in for PostgREST: what the pages ask of it.  GET /rpc/NAME returns the text
 * of NAME, POST /rpc/move_deal a row, and errors are told as PostgREST tells them.
 */
import http from "node:http";

async function answer(client, request, url) {
	const name = url.pathname.replace(/^\/rpc\//, "");
	if (request.method === "GET" && ["board_page", "pipeline_page"].includes(name)) {
		const args = [...url.searchParams.values()];
		const { rows } = await client.query(`SELECT crm.${name}(${args.map((_, n) => `$${n + 1}`)}) AS page`, args);
		return ["text/html; charset=utf-8", rows[0].page];
	}
	if (request.method === "POST" && name === "move_deal") {
		let body = "";
		for await (const part of request)
			body += part;
		const args = JSON.parse(body);
		const { rows } = await client.query(`SELECT * FROM crm.move_deal(${Object.keys(args).map((key, n) =>
			`${client.escapeIdentifier(key)} => $${n + 1}`)})`, Object.values(args));
		return ["application/json", JSON.stringify(rows[0])];
	}
	return null;
}

export function start(client) {
	const server = http.createServer(async (request, response) => {
		try {
			const reply = await answer(client, request, new URL(request.url, "http://localhost"));
			response.writeHead(reply ? 200 : 404, { "Content-Type": reply?.[0] ?? "text/plain" });
			response.end(reply?.[1]);
		} catch (error) {
			const { code, message, detail = null, hint = null } = error;
			response.writeHead(/^PT\d{3}$/.test(code) ? Number(code.slice(2)) : 400, { "Content-Type": "application/json" });
			response.end(JSON.stringify({ code, message, details: detail, hint }));
		}
	});
	return new Promise((resolve) => {
		server.listen(0, "127.0.0.1", () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }));
	});
}
