"""A service that verifies each call with the package `standardwebhooks`, and answers it. Prints its port; then a line for each call."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["SECRET"])


class Service(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            call = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        print(json.dumps({"id": self.headers["webhook-id"], "path": self.path, "call": call}), flush=True)
        wanted = call["payload"].get("answer", {})
        self.answer(wanted.get("status", 200), wanted.get("body", ""), **wanted.get("headers", {}))


server = HTTPServer(("127.0.0.1", 0), Service)
print(server.server_port, flush=True)
server.serve_forever()
