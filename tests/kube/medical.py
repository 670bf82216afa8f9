# Stand-ins of Medical_KG: what they hold is in memory and asked for at /said and /state.
import json, os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BACKEND = os.environ.get("PDF_PROCESSING_BACKEND", "")
VERSION = os.environ.get("APP_VERSION", "")
said = []

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if leaving.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        if self.path == "/said":
            return self.answer(200, said)
        if self.path == "/api/v2/alerts":
            names = [name for name in os.environ.get("ALERTS", "").split(",") if name]
            return self.answer(200, [{"labels": {"alertname": name}, "status": {"state": "active"}} for name in names])
        bad = self.path.startswith("/api") and os.environ.get("ERRORS")
        bad = bad or (self.path == "/health/docling" and BACKEND != "docling_vlm")
        bad = bad or (self.path == "/health/mineru" and BACKEND != "mineru")
        self.answer(503 if bad else 200, {"version": VERSION, "backend": BACKEND})
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        said.append({"path": self.path, "body": body})
        self.answer(200, "ok")

# Requests still come until every node knows that this pod is no endpoint any more.
leaving = threading.Event()
def leave(*_):
    leaving.set()
    threading.Timer(3, os._exit, (0,)).start()

signal.signal(signal.SIGTERM, leave)
# Room for those who come while the last ones are served: a full queue drops them without a word.
ThreadingHTTPServer.request_queue_size = 256
ThreadingHTTPServer(("", 8080), Handler).serve_forever()
