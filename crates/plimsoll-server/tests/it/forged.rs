//! Results of Plimsoll's own jobs that somebody else makes up.
//!
//! Promises: the token is the right one in each, so that nothing but the kind refuses it.
//! Never: a wait.

use std::time::Duration;

use plimsoll_jobs::{Claim, Lease, NewJob, OWN_KINDS, Queue, Within};
use serde_json::{Value as Json, json};

use crate::jobs::{jobs, post};
use crate::support::{TestServer, World, start_with, world};

/// A server that does no job itself, and the queue of its jobs.
fn idle(world: &World) -> (TestServer, Queue) {
    let mut jobs = jobs(world);
    jobs.worker.queues.clear();
    // It is alive for as long as the test is, though nobody renews.
    jobs.worker.lease = Duration::from_secs(600);
    let queue = jobs.queue.clone();
    (start_with(world, |config| config.jobs = Some(jobs)), queue)
}

/// The lease of the one job that waits there, as Plimsoll's own worker takes it.
fn taken(queue: &Queue, name: &str) -> Lease {
    let within = Within::All;
    let claim =
        Claim { worker: "server-1", queue: name, jobs_max: 1, without: &[], only: None, within };
    queue.claim(&claim).wait().expect("claimed")[0].lease
}

#[test]
fn who_pulls_says_nothing_about_a_job_of_plimsolls_own_kinds_whatever_the_token() {
    let world = world(0);
    let (server, queue) = idle(&world);
    for kind in OWN_KINDS {
        let job = NewJob { queue: "forged".into(), ..NewJob::new(kind, "{}") };
        let id = queue.enqueue(&job).expect(kind).wait().expect(kind).id;
        let lease = taken(&queue, "forged");
        assert_eq!(lease.id, id);
        for (word, more) in [
            ("heartbeat", json!({})),
            ("heartbeat", json!({"progress": {"done": 1}})),
            ("checkpoint", json!({"checkpoint": {"file": "../plimsoll.db"}})),
            ("complete", json!({"result": {"rejects": "../plimsoll.db"}})),
            ("fail", json!({"hopeless": true})),
            ("fail", json!({"stopped": true})),
        ] {
            let mut body = json!({"token": lease.token});
            let more: &Json = &more;
            body.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
            let path = format!("/jobs/{id}/{word}");
            let problem = post(&server, &path, &body).problem(409, "lease-lost");
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains("does itself"), "{kind}: {problem}");
        }
        let job = queue.show(id).wait().expect("a job");
        assert_eq!((job.progress.done, job.checkpoints), (0, 0), "{kind}");
        queue.complete(lease, Vec::new(), None, 0).wait().expect("the token was the right one");
    }
    server.stop().expect("stops");
}

#[test]
fn a_report_whose_result_names_a_file_that_is_not_its_own_is_gone() {
    let world = world(3);
    let (server, queue) = idle(&world);
    let reports = world.directory().join("reports");
    std::fs::create_dir_all(&reports).expect("made");
    std::fs::write(world.directory().join("secret"), "secret").expect("written");
    std::fs::write(reports.join("99-1"), "secret").expect("written");
    std::fs::write(reports.join("secret"), "secret").expect("written");
    for file in ["../secret", "secret", "1-1/../../secret", "99-1"] {
        let definition =
            json!({"resource": "goods", "params": {"filter": format!("id < {}", file.len())}});
        let made = post(&server, "/api/v2/reports", &definition);
        assert_eq!(made.status, 202, "{}", made.text());
        let lease = taken(&queue, "reports");
        let result = json!({
            "url": "/", "size": 6, "digest": "sha-256=:AA==:", "rows": 1, "file": file,
            "expires_at": "2999-01-01T00:00:00Z",
        });
        let done = queue.complete(lease, Vec::new(), Some(&result.to_string()), 0);
        done.wait().expect("completed");
        let place = format!("/api/v2/reports/{}/download", lease.id);
        let gone = server.get(&place).problem(410, "gone");
        let detail = gone["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("not its own"), "{file}: {gone}");
    }
    server.stop().expect("stops");
}
