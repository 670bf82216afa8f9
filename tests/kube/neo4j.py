# Stand-in of Neo4j: there is no image of it in the lab. It speaks the counting endpoint of its HTTP
# API (POST /db/neo4j/tx/commit) over a store that is one JSON file, and wants the password.
import base64, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "Basic " + base64.b64encode(os.environ["NEO4J_AUTH"].replace("/", ":", 1).encode()).decode()
with open("/data/databases/neo4j/store.json") as file:
    NODES = json.load(file)["nodes"]

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        known = self.path == "/db/neo4j/tx/commit" and self.headers.get("Authorization") == KEY
        number = NODES if "count(n)" in asked else 1
        data = json.dumps({"results": [{"columns": ["n"], "data": [{"row": [number]}]}], "errors": []}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

ThreadingHTTPServer(("", 7474), Handler).serve_forever()
