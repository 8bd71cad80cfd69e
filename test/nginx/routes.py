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
        if status >= 400:
            reply = {"code": "23505", "details": "d", "hint": None, "message": "taken"}
        else:
            reply = {"method": self.command, "path": self.path, "body": body}
            for name in "Accept", "Prefer", "Authorization", "Content-Type", "Host":
                reply[name] = self.headers.get(name)
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
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
    check(got_status == status and isinstance(got, dict) and got.get("error", {}).get("code") == code
          and "message" in got["error"] and got_headers.get_content_type() == "application/json",
          f"{method} {path}: {status} {code}", f"got {got_status} {got}")


def tests():
    routed("GET", "/api/v1/pipelines", "/pipelines")
    routed("GET", "/api/v1/pipelines?select=*,stages(*)&order=name", "/pipelines?select=*,stages(*)&order=name")
    routed("POST", "/api/v1/pipelines", "/pipelines", '{"name":"Sales"}')
    routed("GET", f"/api/v1/pipelines/{ID}", f"/pipelines?id=eq.{ID}", accept=OBJECT)
    routed("GET", f"/api/v1/pipelines/{ID}?select=name", f"/pipelines?select=name&id=eq.{ID}", accept=OBJECT)
    routed("PATCH", f"/api/v1/deals/{ID}?version=eq.3", f"/deals?version=eq.3&id=eq.{ID}", '{"title":"x"}', accept=OBJECT)
    routed("PUT", f"/api/v1/tags/{ID}", f"/tags?id=eq.{ID}", '{"id":"%s","name":"x"}' % ID, accept=OBJECT)
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
    routed("GET", "/api/v1/", "/")
    routed("POST", "/mcp", "/rpc/mcp", '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    routed("GET", "/mcp", "/rpc/mcp")

    _, got, _ = ask("POST", "/api/v1/deals?on_conflict=external_id", "[]", Prefer="resolution=merge-duplicates")
    check(got["Prefer"] == "resolution=merge-duplicates", "a preference of the client's stays", got)
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
    check(got == {"error": {"code": "23505", "details": "d", "hint": None, "message": "taken"}},
          "errors keep what PostgREST says", got)
    check("charset=utf-8" in headers["Content-Type"], "and their type", headers)
    refused("PATCH", f"/api/v1/deals/{ID}", 403, "23505", "{}", Stub_Status="403")
    refused("GET", f"/api/v1/deals/{ID}", 404, "PGRST116", Stub_Status="406")
    refused("PATCH", f"/api/v1/deals/{ID}", 404, "PGRST116", '{"title":"x"}', Stub_Status="406")
    refused("GET", "/api/v1/deals", 406, "23505", Stub_Status="406")
    status, got, _ = ask("HEAD", "/api/v1/deals", Stub_Status="403")
    check(status == 403 and got == "", "HEAD has no body", status, got)
    status, got, _ = ask("POST", "/mcp", "{}", Stub_Status="403")
    check(status == 403 and got.get("code") == "23505", "MCP's errors are its own", status, got)
    refused("GET", "/api/v1/nothing", 404, "404")
    refused("GET", "/api/v1/deals/1", 404, "404")
    refused("GET", "/api/v1/stage_totals", 404, "404")
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
