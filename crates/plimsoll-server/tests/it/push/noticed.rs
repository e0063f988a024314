//! Notices of what completed.

use plimsoll_jobs::{
    Claim, Declared, Ending, ErrorKind, JobError, Lease, Listing, NewBatch, NewJob, Registry, Run,
    State, When, Within,
};
use plimsoll_server::push::{self, Destination, Notifying, notice};

use super::receiver::{Receiver, status};
use super::world::{World, options};

fn destination(receiver: &Receiver) -> Destination {
    Destination { url: receiver.url().into(), secret: "test".into() }
}

fn enqueue(world: &World, kind: &str) -> i64 {
    let job = NewJob::new(kind, "{\"inner\":\"not told\"}");
    world.queue.enqueue(&job).expect("a job").wait().expect("enqueued").id
}

#[test]
fn a_job_that_completes_is_noticed_and_one_that_fails_is_not() {
    let receiver = Receiver::new(vec![status(200, ""); 2]);
    let work = |run: &mut Run<'_>| match &*run.job().kind {
        "fails" => Err(JobError::hopeless("it cannot")),
        _ => Ok(Ending::Done { effects: Vec::new(), result: Some("{\"rows\": 7}".into()) }),
    };
    let mut registry = Registry::default();
    for kind in ["sums", "fails"] {
        let handler = Notifying::new(work, destination(&receiver));
        registry.add(kind, Declared::default(), handler).expect("a kind");
    }
    let world = World::with(options(), registry);
    let failed = enqueue(&world, "fails");
    world.until(failed, State::Failed);
    let id = enqueue(&world, "sums");
    let request = receiver.request();
    assert_eq!(
        request.body,
        format!(
            "{{\"type\":\"job.completed\",\"data\":{{\"id\":{id},\"kind\":\"sums\",\
             \"state\":\"completed\",\"result\":{{\"rows\": 7}}}}}}"
        )
    );
    assert_ne!(request.headers["webhook-id"], format!("job_{id}"), "the notice is a job itself");
    assert!(receiver.is_quiet(), "nothing of the job that failed");
}

#[test]
fn a_notice_of_a_job_whose_lease_is_lost_is_not_there() {
    let receiver = Receiver::new(Vec::new());
    let world = World::idle();
    enqueue(&world, "sums");
    let claim = Claim {
        worker: "w",
        queue: "default",
        jobs_max: 1,
        without: &[],
        only: None,
        within: Within::All,
    };
    let jobs = world.queue.claim(&claim).wait().expect("claimed");
    let job = notice(&jobs[0], None, &destination(&receiver)).expect("a notice");
    let lease = jobs[0].lease;
    let stale = Lease { token: lease.token - 1, ..lease };
    let pushes = || {
        let listing = Listing { kind: Some(push::KIND.into()), rows_max: 10, ..Listing::default() };
        world.queue.list(&listing).wait().expect("listed").len()
    };
    let effects = || world.queue.enqueue_writes(&job).expect("writes");
    let lost = world.queue.complete(stale, effects(), None, 0).wait();
    assert_eq!(lost.map_err(|e| e.kind()), Err(ErrorKind::LeaseLost));
    assert_eq!(pushes(), 0);
    world.queue.complete(lease, effects(), None, 0).wait().expect("completed");
    assert_eq!(pushes(), 1);
}

#[test]
fn a_result_that_is_too_large_for_a_notice_is_said_to_be_left_out() {
    let receiver = Receiver::new(vec![status(200, "")]);
    let large = format!("\"{}\"", "x".repeat(60_000));
    let work = move |_: &mut Run<'_>| {
        Ok(Ending::Done { effects: Vec::new(), result: Some(large.clone().into()) })
    };
    let mut registry = Registry::default();
    let handler = Notifying::new(work, destination(&receiver));
    registry.add("sums", Declared::default(), handler).expect("a kind");
    let world = World::with(options(), registry);
    enqueue(&world, "sums");
    let body = receiver.request().body;
    assert!(body.ends_with("\"result\":null,\"result_left_out_bytes\":60002}}"), "{body}");
}

#[test]
fn the_end_of_a_batch_is_pushed_with_its_number() {
    let receiver = Receiver::new(vec![status(200, "")]);
    let mut registry = Registry::default();
    let work = |_: &mut Run<'_>| Ok(Ending::done());
    registry.add("sums", Declared::default(), work).expect("a kind");
    let world = World::with(options(), registry);
    let payload = format!(
        "{{\"url\":\"{}\",\"secret\":\"test\",\"body\":{{\"type\":\"batch.over\"}}}}",
        receiver.url()
    );
    let callbacks = vec![(When::Finally, NewJob::new(push::KIND, payload))];
    let batch = NewBatch { batch: "b7".into(), name: "sums".into(), callbacks };
    world.queue.begin_batch(&batch, &[NewJob::new("sums", "{}")], true).expect("begun");
    let body: serde_json::Value = serde_json::from_str(&receiver.request().body).expect("JSON");
    assert_eq!(body, serde_json::json!({"batch": "b7", "type": "batch.over"}));
}
