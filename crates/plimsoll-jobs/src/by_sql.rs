//! `plimsoll.enqueue(..)`: an app on PostgreSQL enqueues in its own transaction, in SQL.
//!
//! ```text
//!   begin; insert into orders ..; select plimsoll.enqueue('mail.send', '{"to": 7}'); commit
//!                                   └ as the owner of the queue: the app's role needs EXECUTE
//! ```
//!
//! Promises: what is enqueued is there if and only if the app's transaction commits; the bounds of
//! [`crate::NewJob::check`] hold; of one kind and key there is one job that is not over, whose
//! number is given; every name in it is qualified, whatever the caller's search path is.
//! Never: a kind that may do anything (`sql.`), one whose jobs Plimsoll makes itself, as
//! `POST /jobs` refuses those, or a statement made of a value.

/// What makes it. Nobody may call it until somebody is granted that.
///
/// The unique key's own conflict waits for whoever is enqueueing the same at that moment. A job
/// that is over between that and the look for it leaves its key free: then it is tried again.
pub(crate) const POSTGRES: &str = r"
create function plimsoll.enqueue(
  kind text,
  payload jsonb default '{}',
  key text default null,
  queue text default 'default',
  priority integer default 5,
  delay interval default '0',
  tries integer default 3,
  max_exceptions integer default 3,
  timeout interval default '120 s',
  memory_bytes bigint default 0
) returns bigint language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp as $body$
declare
  wrong text;
  now_micros bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
  place_micros bigint;
  job bigint;
begin
  wrong := case
    when kind is null or kind !~ '^[A-Za-z0-9._:-]{1,64}$' then
      'the kind is not a name: 1 to 64 letters, digits, ''.'', ''_'', ''-'' or '':'''
    when kind ~ '^(sql|system|report|intake)[.]' or kind in ('import', 'bulk.update') then
      'jobs of ' || kind || ' are Plimsoll''s own and not enqueued by SQL'
    when queue is null or queue !~ '^[A-Za-z0-9._:-]{1,64}$' then
      'the queue is not a name: 1 to 64 letters, digits, ''.'', ''_'', ''-'' or '':'''
    when payload is null then 'the payload is null: leave it out, or give a JSON value'
    when octet_length(payload::text) > 65536 then
      'the payload has ' || octet_length(payload::text) || ' bytes of at most 65536: put it where '
      || 'the job finds it, and name the place'
    when octet_length(key) not between 1 and 255 then 'a unique key has 1 to 255 bytes'
    when priority is null or priority not between 0 and 9 then
      'a priority is 0 (first) to 9'
    when delay is null or delay < interval '0' or delay > interval '366 days' then
      'a delay is none to 366 days'
    when tries is null or tries < 1 then 'a job is tried once at least: tries is from 1 up'
    when max_exceptions is null or max_exceptions < 1 then 'max_exceptions is from 1 up'
    when timeout is null or timeout < interval '1 ms' or timeout > interval '366 days' then
      'a timeout is 1 ms to 366 days'
    when memory_bytes is null or memory_bytes not between 0 and 1125899906842624 then
      'memory_bytes is 0 to 1125899906842624'
  end;
  if wrong is not null then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'plimsoll.enqueue: ' || wrong;
  end if;
  place_micros := now_micros + (extract(epoch from delay) * 1000000)::bigint;
  for turn in 1 .. 3 loop
    insert into plimsoll.jobs (kind, queue, priority, state, payload, unique_key, place, tries_max,
      exceptions_max, timeout_ms, memory_bytes, enqueued_at)
    values (enqueue.kind, enqueue.queue, enqueue.priority,
      case when place_micros > now_micros then 'scheduled' else 'ready' end,
      enqueue.payload::text, enqueue.key, place_micros, enqueue.tries, enqueue.max_exceptions,
      (extract(epoch from enqueue.timeout) * 1000)::bigint,
      greatest(enqueue.memory_bytes, (select k.peak_bytes from plimsoll.job_kinds as k
        where k.kind = enqueue.kind)), now_micros)
    on conflict do nothing returning jobs.id into job;
    if job is null then
      select j.id into job from plimsoll.jobs as j
      where j.kind = enqueue.kind and j.unique_key = enqueue.key
        and j.state in ('scheduled', 'ready', 'running', 'retrying', 'paused');
    end if;
    if job is not null then
      return job;
    end if;
  end loop;
  raise exception using errcode = 'serialization_failure',
    message = 'plimsoll.enqueue: the job with this key was over a moment ago; try again';
end
$body$;
revoke all on function plimsoll.enqueue(
  text, jsonb, text, text, integer, interval, integer, integer, interval, bigint) from public;
";
