#!/usr/bin/env python3
"""Runs jobs as a warm child: one line of JSON each way, jobs on standard input.

    {"job":{"id":7,"kind":"sum","payload":{"to":1000,"every":100},"checkpoint":null,"attempt":1}}
        -> progress, checkpoint (answered by {"ok":"checkpoint"}), then done or failed
    {"stop":"memory"} or "shutdown" or "cancel"
        -> what was done since the last checkpoint is dropped: failed with retry
    the end of standard input -> exit
Standard output is for messages alone; print everything else to standard error.
"""

import json, sys


class Stopped(Exception):
    pass


def say(job, **message):
    print(json.dumps({**message, "id": job["id"]}), flush=True)


def checkpoint(job, state):
    """Returns once the state is durable; the next attempt begins there."""
    say(job, checkpoint=state)
    for line in sys.stdin:
        answer = json.loads(line)
        if "stop" in answer:
            raise Stopped(answer["stop"])
        if answer.get("ok") == "checkpoint":
            return
    raise Stopped("the parent has gone")


def run_sum(job):
    """The work: adds up the numbers to payload.to."""
    to, every = job["payload"]["to"], job["payload"]["every"]
    state = job["checkpoint"] or {"at": 0, "sum": 0}
    while state["at"] < to:
        end = min(state["at"] + every, to)
        state = {"at": end, "sum": state["sum"] + sum(range(state["at"] + 1, end + 1))}
        say(job, progress={"done": end, "total": to, "unit": "numbers"})
        checkpoint(job, state)
    return {"sum": state["sum"]}


for line in sys.stdin:
    message = json.loads(line)
    if "job" not in message:
        continue  # a stop for a job that was done just then
    job = message["job"]
    try:
        if job["kind"] != "sum":
            raise ValueError(f"no such kind: {job['kind']}")
        say(job, done=run_sum(job))
    except Stopped as stopped:
        say(job, failed={"message": f"stopped: {stopped}", "retry": True})
    except Exception as error:  # whatever the work raises is the job's failure, not the child's
        say(job, failed={"message": repr(error), "retry": not isinstance(error, ValueError)})
