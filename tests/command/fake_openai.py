#!/usr/bin/env python3
"""A local server that speaks the chat completions format, with faults on demand.

    fake_openai.py --port-file FILE [--replay FILE | --answer TEXT] [--faults LIST] [--log FILE]

It listens on a free port of the loopback, writes the number to --port-file (by
rename), and answers from a replay file by the hash of the prompt (several
answers to one prompt in turn), or every prompt with the same text. --faults
names what happens to the first requests, one word each, separated by commas;
afterwards all is well. --log gets one line per request: number, fault, Authorization present, body keys.

    ok          the answer, streamed in small pieces
    plain       the answer as one JSON object
    429=N       429 with Retry-After: N        500 503 401 403 404     that status
    quota       429 that no waiting helps      context                 400: the prompt is too long
    notemp      400 unless temperature is left out      maxtok         400 unless max_completion_tokens is used
    silent      not one byte                   stall                   the answer begins, then nothing
    reset       the connection is reset in mid-stream   cut            the stream ends without its end
    garbage     200 with a web page            badjson                 an event that is no JSON
    error       an error within the stream     nodone                  complete, but without [DONE]
    filter      finish_reason content_filter   length                  finish_reason length
    slow        the answer, with a pause before each piece
    huge        an answer without end          redirect                302 to elsewhere
"""
import argparse
import hashlib
import json
import os
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, Optional

STALL_SECONDS = 60.0
SLOW_SECONDS = 0.25
PIECE = 16  # characters


class Answers:
    """Recorded answers by the hash of their prompt."""

    def __init__(self, replay: Optional[str], text: Optional[str]) -> None:
        self.text = text
        self.by_hash: Dict[str, List[Dict[str, Any]]] = {}
        self.turn: Dict[str, int] = {}
        self.lock = threading.Lock()
        if replay:
            with open(replay, encoding="utf-8") as lines:
                next(lines)
                for line in filter(str.strip, lines):
                    record = json.loads(line)
                    self.by_hash.setdefault(record["prompt_hash"], []).append(record)

    def find(self, body: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """The record for the body's messages, or None when there is none."""
        if self.text is not None:
            return {"answer": self.text}
        parts = {m["role"]: m["content"] for m in body.get("messages", [])}
        prompt = (parts.get("system", "") + "\0" + parts.get("user", "")).encode()
        key = hashlib.sha256(prompt).hexdigest()
        with self.lock:
            records = self.by_hash.get(key)
            if not records:
                return None
            turn = self.turn.get(key, 0)
            self.turn[key] = turn + 1
            return records[turn % len(records)]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: Answers, faults: List[str], log: Optional[str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.faults = faults
        self.log_path = log
        self.lock = threading.Lock()
        self.count = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that we broke ourselves are no news."""

    def next_fault(self) -> "tuple[int, str]":
        """The number of this request, from 1, and what happens to it."""
        with self.lock:
            self.count += 1
            fault = self.faults[self.count - 1] if self.count <= len(self.faults) else "ok"
            return self.count, fault


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        """Says nothing: stderr belongs to the test."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        number, fault = self.server.next_fault()
        self.note(number, fault, body)
        if not self.path.endswith("/chat/completions"):
            self.refuse(404, {"message": "no such path"})
            return
        name, _, value = fault.partition("=")
        try:
            self.misbehave(name, value, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def note(self, number: int, fault: str, body: Dict[str, Any]) -> None:
        if self.server.log_path:
            key = "key" if self.headers.get("Authorization") else "nokey"
            line = f"{number} {fault} {key} {','.join(sorted(body))}\n"
            with self.server.lock, open(self.server.log_path, "a", encoding="utf-8") as log:
                log.write(line)

    def misbehave(self, name: str, value: str, body: Dict[str, Any]) -> None:
        """Does what the fault says."""
        record = self.server.answers.find(body)
        if name in ("401", "403", "404", "500", "503"):
            self.refuse(int(name), {"message": f"this is a {name}"})
        elif name == "429":
            self.refuse(429, {"message": "slow down"}, {"Retry-After": value or "1"})
        elif name == "quota":
            self.refuse(429, {"message": "You exceeded your current quota", "code": "insufficient_quota"})
        elif name == "context":
            self.refuse(400, {"message": "maximum context length is 10 tokens", "code": "context_length_exceeded"})
        elif name == "notemp" and "temperature" in body:
            self.refuse(400, {"message": "Unsupported value", "param": "temperature"})
        elif name == "maxtok" and "max_tokens" in body:
            self.refuse(400, {"message": "Use 'max_completion_tokens' instead", "param": "max_tokens"})
        elif name == "redirect":
            self.refuse(302, {"message": "moved"}, {"Location": "http://127.0.0.1:9/elsewhere"})
        elif name == "silent":
            time.sleep(STALL_SECONDS)
        elif name == "garbage":
            self.reply(200, b"<html>Welcome to the captive portal</html>", "text/html")
        elif record is None:
            self.refuse(400, {"message": "no answer was recorded for this prompt"})
        elif name == "plain" or not body.get("stream"):
            self.plain(record, body)
        else:
            self.stream(name, record, body)

    def refuse(self, status: int, error: Dict[str, str], headers: Optional[Dict[str, str]] = None) -> None:
        self.reply(status, json.dumps({"error": error}).encode(), "application/json", headers)

    def reply(self, status: int, data: bytes, kind: str, headers: Optional[Dict[str, str]] = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def usage(self, record: Dict[str, Any], body: Dict[str, Any]) -> Dict[str, Any]:
        """As recorded; else a token per four characters."""
        recorded = record.get("usage") or {}
        prompt = sum(len(m["content"]) for m in body["messages"]) // 4
        return {
            "prompt_tokens": recorded.get("prompt_tokens") or prompt,
            "completion_tokens": recorded.get("completion_tokens") or len(record["answer"]) // 4,
            "prompt_tokens_details": {"cached_tokens": recorded.get("cached_tokens") or 0},
        }

    def plain(self, record: Dict[str, Any], body: Dict[str, Any]) -> None:
        choice = {"message": {"role": "assistant", "content": record["answer"]}, "finish_reason": "stop"}
        whole = {"choices": [choice], "usage": self.usage(record, body)}
        self.reply(200, json.dumps(whole).encode(), "application/json")

    def event(self, data: str) -> None:
        """One event as a chunk of the body; the bytes go out in two pieces that split it anywhere."""
        raw = f"data: {data}\n\n".encode()
        chunk = b"%x\r\n%s\r\n" % (len(raw), raw)
        middle = len(chunk) // 2
        self.wfile.write(chunk[:middle])
        self.wfile.flush()
        self.wfile.write(chunk[middle:])
        self.wfile.flush()

    def piece(self, text: str, finish: Optional[str] = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        self.event(json.dumps({"choices": [choice]}, ensure_ascii=False))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def stream(self, name: str, record: Dict[str, Any], body: Dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        text = record["answer"]
        pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)] or [""]
        for piece in pieces[: max(1, len(pieces) // 2)]:
            self.piece(piece)
        if self.break_stream(name):
            return
        for piece in pieces[max(1, len(pieces) // 2):]:
            if name == "slow":
                time.sleep(SLOW_SECONDS)
            self.piece(piece)
        self.piece("", {"filter": "content_filter", "length": "length"}.get(name, "stop"))
        if body.get("stream_options", {}).get("include_usage"):
            self.event(json.dumps({"choices": [], "usage": self.usage(record, body)}))
        if name != "nodone":
            self.event("[DONE]")
        self.end_stream()

    def break_stream(self, name: str) -> bool:
        """True when the stream has come to its bad end."""
        if name == "stall":
            time.sleep(STALL_SECONDS)
        elif name == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wfile.close()
            self.connection.close()
        elif name == "cut":
            self.end_stream()
        elif name == "badjson":
            self.event('{"choices": [')
            self.end_stream()
        elif name == "error":
            self.event(json.dumps({"error": {"message": "the model is overloaded"}}))
            self.end_stream()
        elif name == "huge":
            for _ in range(4096):
                self.piece("x" * 4096)
        else:
            return False
        self.close_connection = True
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--replay")
    parser.add_argument("--answer")
    parser.add_argument("--faults", default="")
    parser.add_argument("--log")
    options = parser.parse_args()
    faults = [fault for fault in options.faults.split(",") if fault]
    server = Server(Answers(options.replay, options.answer), faults, options.log)
    with open(options.port_file + ".new", "w", encoding="utf-8") as port:
        port.write(f"{server.server_address[1]}\n")
    os.rename(options.port_file + ".new", options.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
