"""Works at jobs of Plimsoll over HTTP, with the standard library alone.

    PLIMSOLL_URL=http://127.0.0.1:8000 python3 puller.py [--once]

The kind it knows, file.upper, writes the lines of one file in capitals to another:
    curl $PLIMSOLL_URL/jobs -H 'content-type: application/json' -d \
      '{"kind": "file.upper", "payload": {"from": "/tmp/a", "to": "/tmp/b"}}'

Its checkpoint says how far both files are. Killed and started again, it cuts the output back to
there and goes on, so that no line is missing and none stands twice. SIGTERM hands the job back.
"""
import json, os, signal, sys, threading
import urllib.error, urllib.request

URL = os.environ.get("PLIMSOLL_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("PLIMSOLL_KEY")  # with the scope work:default
stopping = threading.Event()


class LeaseLost(Exception):
    """The job is another's by now: nothing more may be written for it."""


def post(path, body):
    headers = {"Content-Type": "application/json"}
    if KEY:
        headers["Authorization"] = "Bearer " + KEY
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        if problem["type"].endswith("/lease-lost"):
            raise LeaseLost from None
        raise RuntimeError(problem["detail"]) from None


def upper(payload, at, save):
    """The work: chunks of lines, and a checkpoint behind each."""
    at = at or {"read": 0, "written": 0, "lines": 0}
    with open(payload["from"], "rb") as source, open(payload["to"], "ab") as target:
        target.truncate(at["written"])  # away with what no checkpoint counts
        source.seek(at["read"])
        while chunk := [line for _, line in zip(range(payload.get("chunk", 1000)), source)]:
            target.write(b"".join(chunk).upper())
            target.flush()
            os.fsync(target.fileno())
            at = {"read": source.seek(0, 1), "written": target.tell(),
                  "lines": at["lines"] + len(chunk)}
            if save(at, {"done": at["lines"], "unit": "lines"}):
                return None  # asked to stop
    return {"lines": at["lines"]}


KINDS = {"file.upper": upper}


def work(job, heartbeat_s):
    path, token, over = f"/jobs/{job['id']}/", job["token"], threading.Event()

    def beat():  # a lease holds as long as somebody renews it
        while not over.wait(heartbeat_s):
            try:
                post(path + "heartbeat", {"token": token})
            except (LeaseLost, OSError, RuntimeError):
                pass  # the next checkpoint says so, too

    def save(checkpoint, progress):
        told = post(path + "checkpoint",
                    {"token": token, "checkpoint": checkpoint, "progress": progress})
        return told["wish"] or stopping.is_set()

    threading.Thread(target=beat, daemon=True).start()
    try:
        result = KINDS[job["kind"]](job["payload"], job["checkpoint"], save)
        if result is None:
            post(path + "fail", {"token": token, "stopped": True})
        else:
            post(path + "complete", {"token": token, "result": result})
    except LeaseLost:
        print(f"job {job['id']} is another's by now", file=sys.stderr)
    except Exception as error:  # the job failed, this program goes on
        post(path + "fail", {"token": token, "message": f"{type(error).__name__}: {error}"})
    finally:
        over.set()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    ask = {"worker": f"python-{os.getpid()}", "kinds": list(KINDS), "wait_ms": 5000}
    while not stopping.is_set():
        claimed = post("/jobs/claim", ask)
        for claimed_job in claimed["jobs"]:
            work(claimed_job, claimed["heartbeat_ms"] / 1000)
        if claimed["wish"] or ("--once" in sys.argv and not claimed["jobs"]):
            break
