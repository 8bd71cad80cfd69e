"""The nginx of examples/nginx in front of a stub that records what it is asked.

The stub stands for PostgREST: it answers with the request that it got, or, if
the header Stub-Status asks for it, with an error as PostgREST has them.
Prints TAP.
"""
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ID = "01890000-0000-7000-8000-000000000001"
OBJECT = "application/vnd.pgrst.object+json"
REPRESENTATION = "return=representation"
count = failures = 0


class Stub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        status = int(self.headers.get("Stub-Status", 200))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if status == 0:  # as if it were not there
            self.close_connection = True
            return
        page = self.headers.get("Stub-Page")
        if self.path == "/" and status < 400:  # the description of the API
            reply = {"swagger": "2.0", "basePath": "/", "host": "127.0.0.1:3000", "schemes": ["http"], "paths": {
                "/" + name: {method: {} for method in ("get", "post", "patch", "delete")} for name in ("deals", "stage_visits", "rpc/board_page")}}
        elif status >= 400:
            reply = {"code": "23505", "details": "d", "hint": None, "message": "taken"}
        else:
            reply = {"method": self.command, "path": self.path, "body": body}
            for name in "Accept", "Prefer", "Authorization", "Content-Type", "Host":
                reply[name] = self.headers.get(name)
        text = page.replace("\\n", "\n").encode() if page else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8" if page else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        for name in "Location", "Content-Location", "Allow":
            if self.headers.get("Stub-" + name):
                self.send_header(name, self.headers["Stub-" + name])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *args):
        pass


def check(passed, name, *said):
    global count, failures
    count += 1
    failures += not passed
    print("ok" if passed else "not ok", count, "-", name)
    if not passed:
        for line in said:
            print("#", line)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(method, path, body=None, **headers):
    """The status, the body (JSON if it is), and the headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=300)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        body = body.encode()
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    try:
        return answer.status, json.loads(text), answer.headers
    except ValueError:
        return answer.status, text, answer.headers


def routed(method, path, to, body=None, sent=None, accept="*/*", name=None):
    """The request reaches the backend as that path, with that JSON as its body."""
    status, got, _ = ask(method, path, body, Accept="*/*", Authorization="Bearer x")
    want = (200, method, to, accept, "Bearer x", REPRESENTATION)
    have = (status, got["method"], got["path"], got["Accept"], got["Authorization"], got["Prefer"]) \
        if isinstance(got, dict) and "method" in got else (status, got)
    same = have == want
    if same and sent is not None:
        try:
            same = json.loads(got["body"]) == sent
        except ValueError:
            same = False
    elif same:
        same = got["body"] == (body or "")
    check(same, name or f"{method} {path}", f"got  {have} {got}", f"want {want} {sent}")


def refused(method, path, status, code, body=None, **headers):
    got_status, got, got_headers = ask(method, path, body, **headers)
    check(got_status == status and isinstance(got, dict) and got.get("error", {}).get("code") == code == got.get("code")
          and got["message"] == got["error"]["message"] and got_headers.get_content_type() == "application/json",
          f"{method} {path}: {status} {code}", f"got {got_status} {got}")


def tests():
    routed("GET", "/api/v1/pipelines", "/pipelines")
    routed("GET", "/api/v1/pipelines?select=*,stages(*)&order=name", "/pipelines?select=*,stages(*)&order=name")
    routed("POST", "/api/v1/pipelines", "/pipelines", '{"name":"Sales"}')
    routed("GET", f"/api/v1/pipelines/{ID}", f"/pipelines?id=eq.{ID}", accept=OBJECT)
    routed("GET", f"/api/v1/pipelines/{ID}?select=name", f"/pipelines?select=name&id=eq.{ID}", accept=OBJECT)
    routed("PATCH", f"/api/v1/deals/{ID}?version=eq.3", f"/deals?version=eq.3&id=eq.{ID}", '{"title":"x"}', accept=OBJECT)
    routed("PUT", f"/api/v1/tags/{ID}", f"/tags?id=eq.{ID}", '{"name":"x"}', {"id": ID, "name": "x"}, accept=OBJECT)
    routed("PUT", f"/api/v1/deals/{ID}", f"/deals?id=eq.{ID}", '{"id":"other","title":"x"}', {"id": ID, "title": "x"}, accept=OBJECT,
           name="PUT: the id of the path counts")
    for name in ("deal_contacts", "deal_tags", "deal_changes", "deal_facts", "deal_pushes", "exchange_rates", "move_facts",
                 "pipeline_stage_summary", "rotting_deals", "stage_changes", "stage_forecast_categories", "stage_visits"):
        routed("GET", f"/api/v1/{name}?limit=1", f"/{name}?limit=1")
        routed("GET", f"/api/v1/{name.replace('_', '-')}", f"/{name}")
    for name in ("deal_changes", "stage-changes"):
        routed("GET", f"/api/v1/{name}/{ID}", f"/{name.replace('-', '_')}?id=eq.{ID}", accept=OBJECT)
    routed("GET", "/api/v1/own_table?x=eq.1", "/own_table?x=eq.1", name="a table of the user's own")
    routed("PATCH", f"/api/v1/own_table/{ID}", f"/own_table?id=eq.{ID}", '{"x":1}', accept=OBJECT, name="and its objects")
    routed("DELETE", f"/api/v1/stages/{ID}", f"/stages?id=eq.{ID}", accept=OBJECT)
    routed("GET", f"/api/v1/pipelines/{ID}/summary", f"/rpc/pipeline_summary?pipeline_id={ID}")
    routed("GET", f"/api/v1/pipelines/{ID}/summary?owner_id=1", f"/rpc/pipeline_summary?owner_id=1&pipeline_id={ID}")
    routed("POST", f"/api/v1/pipelines/{ID}/stages/reorder", "/rpc/reorder_stages", '{"stage_ids":["a","b"]}',
           {"stage_ids": ["a", "b"], "pipeline_id": ID})
    routed("POST", f"/api/v1/deals/{ID}/move", "/rpc/move_deal", '{"stage_id":"a","lost_reason":"Preis } \\" ü"}\n',
           {"stage_id": "a", "lost_reason": 'Preis } " ü', "deal_id": ID})
    routed("POST", f"/api/v1/deals/{ID}/move", "/rpc/move_deal", " { } ", {"deal_id": ID}, name="an object without members")
    routed("POST", f"/api/v1/deals/{ID}/move", "/rpc/move_deal", None, {"deal_id": ID}, name="no body")
    routed("POST", f"/api/v1/deals/{ID}/move", "/rpc/move_deal", '{\n\t"deal_id": "other",\n\t"stage_id": "a"\n}',
           {"stage_id": "a", "deal_id": ID}, name="the id of the path counts")
    routed("GET", f"/api/v1/deals/{ID}/contacts", f"/deal_contacts?deal_id=eq.{ID}")
    routed("GET", f"/api/v1/deals/{ID}/contacts?select=role,contacts(*)", f"/deal_contacts?select=role,contacts(*)&deal_id=eq.{ID}")
    routed("POST", f"/api/v1/deals/{ID}/contacts", f"/deal_contacts?deal_id=eq.{ID}", '{"contact_id":"c"}',
           {"contact_id": "c", "deal_id": ID})
    routed("GET", "/api/v1/tags?limit=3", "/tags?limit=3")
    routed("GET", "/api/v1/stage-changes?deal_id=eq.1", "/stage_changes?deal_id=eq.1")
    routed("GET", f"/api/v1/stage-changes/{ID}", f"/stage_changes?id=eq.{ID}", accept=OBJECT)
    routed("POST", "/api/v1/deal-tags", "/deal_tags", '{"deal_id":"a","tag_id":"b"}')
    routed("POST", "/api/v1/rpc/create_pipeline", "/rpc/create_pipeline", '{"name":"x"}')
    routed("POST", "/api/v1/rpc/top_10", "/rpc/top_10", "{}", name="a function of the user's own, with a digit")
    for path in "board_page", f"pipeline_page?pipeline_id={ID}":
        routed("GET", f"/api/v1/rpc/{path}", f"/rpc/{path}", accept="text/html")
    routed("POST", "/mcp", "/rpc/mcp", '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    routed("GET", "/mcp", "/rpc/mcp")

    _, got, _ = ask("POST", "/api/v1/deals?on_conflict=external_id", "[]", Prefer="resolution=merge-duplicates")
    check(got["Prefer"] == "resolution=merge-duplicates, return=representation", "what is written comes back beside other preferences", got)
    for sent in "return=minimal", "missing=default, return=headers-only", "count=exact,Return=minimal":
        _, got, _ = ask("POST", "/api/v1/deals", "{}", Prefer=sent)
        check(got["Prefer"] == sent, f"Prefer: {sent} stays", got)

    for path, own in (f"/deals?id=eq.{ID}", f"/api/v1/deals/{ID}"), ("/deal_tags?deal_id=eq.1&tag_id=eq.2", "/api/v1/deal_tags?deal_id=eq.1&tag_id=eq.2"):
        _, _, headers = ask("POST", "/api/v1/deals", "{}", Stub_Status="201", Stub_Location=path, Stub_Content_Location=path)
        check((headers["Location"], headers["Content-Location"]) == (own, own), f"Location: {path} becomes {own}", headers)
    _, _, headers = ask("GET", "/api/v1/deals?limit=1", Stub_Content_Location="/deals?limit=1")
    check(headers["Content-Location"] == "/api/v1/deals?limit=1" and headers["Location"] is None, "Content-Location of a list", headers)

    status, page, _ = ask("GET", "/api/v1/")
    check(status == 200 and page["basePath"] == "/api/v1" and page["host"] == f"127.0.0.1:{PORT}" and page["schemes"] == ["http"],
          "the description of the API says where it is", page)
    check(sorted(page["paths"]["/deals"]) == ["delete", "get", "patch", "post"] and sorted(page["paths"]["/stage_visits"]) == ["get"]
          and sorted(page["paths"]["/rpc/board_page"]) == ["get"], "and what can be done with each table, view and page", page)
    refused("GET", "/api/v1/", 403, "23505", Stub_Status="403")
    page = "<!DOCTYPE html>\n<title>Board</title>"
    status, got, headers = ask("GET", "/api/v1/rpc/board_page", Stub_Page=page.replace("\n", "\\n"))
    check((status, got, headers.get_content_type()) == (200, page, "text/html"), "a page for a browser arrives as it is", status, got, headers)
    check((headers["Content-Security-Policy"], headers["X-Content-Type-Options"], headers["Referrer-Policy"], headers["Cache-Control"])
          == ("frame-ancestors 'none'", "nosniff", "no-referrer", "no-store"), "and may not be framed, or kept", headers)
    refused("GET", "/api/v1/rpc/board_page", 403, "23505", Stub_Status="403")
    for path, to in ("/board", "/api/v1/rpc/board_page"), (f"/pipelines/{ID}", f"/api/v1/rpc/pipeline_page?pipeline_id={ID}"):
        status, _, headers = ask("GET", path)
        check((status, headers["Location"]) == (302, to), f"{path} leads to the page", status, headers)
    _, _, headers = ask("OPTIONS", "/api/v1/stage_visits", Stub_Allow="OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE")
    check(headers.get_all("Allow") == ["GET, HEAD, OPTIONS"], "OPTIONS of a view", headers)
    for method in "POST", "PATCH", "DELETE", "PUT":
        refused(method, "/api/v1/stage-visits", 405, "405", "{}")
        refused(method, "/api/v1/pipeline_stage_summary", 405, "405", "{}")
        refused(method, f"/api/v1/stage_changes/{ID}", 405, "405", "{}")
        refused(method, "/api/v1/deal-facts", 405, "405", "{}")
    for method, path, allowed in (("POST", "/api/v1/stage-visits", "GET, HEAD, OPTIONS"),
                                  ("GET", f"/api/v1/deals/{ID}/move", "POST, OPTIONS"),
                                  ("DELETE", f"/api/v1/deals/{ID}/contacts", "GET, HEAD, POST, OPTIONS"),
                                  ("POST", f"/api/v1/deals/{ID}", "GET, HEAD, PATCH, PUT, DELETE, OPTIONS")):
        _, _, headers = ask(method, path, "{}")
        check(headers.get_all("Allow") == [allowed], f"{method} {path}: 405 says what is allowed", headers)
    _, got, _ = ask("POST", f"/api/v1/deals/{ID}/move", "[1]")
    try:
        json.loads(got["body"])
        check(False, "what is no object is not made JSON", got)
    except ValueError:
        check(True, "what is no object is not made JSON")
    big = json.dumps({"stage_id": "a" * 900000})
    _, got, _ = ask("POST", f"/api/v1/deals/{ID}/move", big)
    check(json.loads(got["body"])["deal_id"] == ID and len(got["body"]) > 900000, "a large body arrives")
    status, got, _ = ask("POST", "/api/v1/deals", "[" + " " * 3000000 + "]")
    check(status == 200 and len(got["body"]) == 3000002, "a larger one to a table", status)

    refused("GET", "/api/v1/deals", 409, "23505", Stub_Status="409")
    status, got, headers = ask("POST", "/api/v1/deals", "{}", Stub_Status="409")
    error = {"code": "23505", "details": "d", "hint": None, "message": "taken"}
    check(got == {**error, "error": error}, "errors keep what PostgREST says, at the top and in a member", got)
    check("charset=utf-8" in headers["Content-Type"], "and their type", headers)
    refused("PATCH", f"/api/v1/deals/{ID}", 403, "23505", "{}", Stub_Status="403")
    refused("GET", f"/api/v1/deals/{ID}", 404, "PGRST116", Stub_Status="406")
    refused("PATCH", f"/api/v1/deals/{ID}", 404, "PGRST116", '{"title":"x"}', Stub_Status="406")
    refused("GET", "/api/v1/deals", 406, "23505", Stub_Status="406")
    status, got, _ = ask("HEAD", "/api/v1/deals", Stub_Status="403")
    check(status == 403 and got == "", "HEAD has no body", status, got)
    status, got, _ = ask("POST", "/mcp", "{}", Stub_Status="403")
    check(status == 403 and got.get("code") == "23505", "MCP's errors are its own", status, got)
    refused("GET", "/api/v1/Nothing", 404, "404")
    refused("GET", "/api/v1/nothing", 404, "23505", Stub_Status="404")
    refused("GET", "/api/v1/deals/1", 404, "404")
    refused("GET", "/deals", 404, "404")
    refused("GET", f"/api/v1/deals/{ID}/move", 405, "405")
    refused("DELETE", f"/api/v1/deals/{ID}/contacts", 405, "405")
    refused("POST", f"/api/v1/deals/{ID}", 405, "405", "{}")
    refused("POST", f"/api/v1/deals/{ID}/move", 413, "413", '{"x":"' + "a" * 1100000 + '"}')


def main():
    global PORT
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    module = "/usr/lib/nginx/modules/ngx_http_js_module.so"
    stub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    PORT = free_port()
    with tempfile.TemporaryDirectory() as work:
        with open(f"{TOP}/examples/nginx/crm.conf", encoding="utf-8") as handle:
            conf = handle.read()
        conf = conf.replace("127.0.0.1:3000", f"127.0.0.1:{stub.server_port}").replace("127.0.0.1:8080", f"127.0.0.1:{PORT}")
        shutil.copy(f"{TOP}/examples/nginx/crm_errors.js", work)
        temp = "".join(f"    {kind}_temp_path {work}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{work}/nginx.conf", "w", encoding="utf-8") as handle:
            handle.write(f"load_module {module};\ndaemon off;\nmaster_process off;\npid {work}/pid;\nerror_log {work}/log;\n"
                         f"events {{}}\nhttp {{\n    access_log off;\n{temp}{conf}}}\n")
        server = subprocess.Popen([nginx, "-p", work, "-c", f"{work}/nginx.conf"], stderr=subprocess.STDOUT)
        try:
            while server.poll() is None:
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", PORT)) == 0:
                        break
                time.sleep(0.1)
            tests()
            with open(f"{work}/log", encoding="utf-8") as handle:
                said = [line for line in handle if re.search(r"\[(alert|emerg|crit)\]|js exception", line)]
            check(not said, "nginx has nothing to complain of", *said)
            refused("GET", "/api/v1/deals", 502, "502", Stub_Status="0")
            refused("GET", f"/api/v1/deals/{ID}", 502, "502", Stub_Status="0")
        finally:
            server.terminate()
            server.wait()
            if failures:
                with open(f"{work}/log", encoding="utf-8") as handle:
                    print("".join("# " + line for line in handle.readlines()[-20:]))
    print(f"1..{count}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
