# A front of the lab's API server that holds custom objects itself: the lab's server cannot (it was
# built with a newer Go than its JSON library knows, and dies of the first one). Everything else is
# passed on to `kubectl proxy` at the port that is given; `deny` as a second word forbids changes of
# custom objects. POST /own {path, object} lays one there, GET /own?PATH shows it.
import http.client, json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPSTREAM, DENY = int(sys.argv[1]), "deny" in sys.argv[2:]
CUSTOM = ("/apis/argoproj.io/", "/apis/kustomize.toolkit.fluxcd.io/", "/apis/helm.toolkit.fluxcd.io/")
held = {}

def merge(into, changes):
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}) if isinstance(into.get(key, {}), dict) else into.update({key: {}}) or into[key], value)
        else:
            into[key] = value

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status, data, kind="application/json"):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def refuse(self, code, reason):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
                           "message": f"{self.path}: {reason}", "code": code})
    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        if path == "/own":
            if self.command == "POST":
                asked = json.loads(body)
                old = held.get(asked["path"], {}).get("metadata", {}).get("resourceVersion", "0")
                held[asked["path"]] = asked["object"]
                asked["object"]["metadata"]["resourceVersion"] = str(int(old) + 1)
            return self.answer(200, held.get(query, {}))
        if path.startswith(CUSTOM):
            found = held.get(path)
            if found is None:
                return self.refuse(404, "NotFound")
            if self.command == "GET":
                return self.answer(200, found)
            if DENY:
                return self.refuse(403, "Forbidden")
            changes = json.loads(body)
            version = changes.get("metadata", {}).pop("resourceVersion", None)
            if version not in (None, found["metadata"]["resourceVersion"]):
                return self.refuse(409, "Conflict")
            new = json.loads(json.dumps(found))
            merge(new, changes)
            if "dryRun=All" not in query:
                new["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
                held[path] = new
            return self.answer(200, new)
        up = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept")}
        up.request(self.command, self.path, body or None, headers)
        said = up.getresponse()
        self.answer(said.status, said.read(), said.headers.get("Content-Type", "application/json"))
    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = any

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
