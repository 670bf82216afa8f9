# What the pods of the tests run: a colour that says who it is, with faults by environment.
import json, os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COLOR, VERSION = os.environ["APP_COLOR"], os.environ["APP_VERSION"]
print("starting", COLOR, VERSION, flush=True)
if os.environ.get("CRASH"):
    print("FATAL no configuration found", file=sys.stderr, flush=True)
    sys.exit(3)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        bad = self.path.startswith("/api") and os.environ.get("ERRORS")
        body = {"environment": COLOR, "version": VERSION, "overall_ready": True, "pod": os.environ.get("HOSTNAME")}
        data = (json.dumps(body) + "\n").encode()
        self.send_response(500 if bad else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if leaving.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

class Server(ThreadingHTTPServer):
    request_queue_size = 256

# Requests still come until every node knows that this pod is no endpoint any more.
leaving = threading.Event()
def leave(*_):
    leaving.set()
    threading.Timer(3, os._exit, (0,)).start()

signal.signal(signal.SIGTERM, leave)
Server(("", 8080), Handler).serve_forever()
