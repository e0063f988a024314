-- What users do, as it is told, and what jobs make of the log and of the orders.
--
--   activity ── dataset activity ──> activity_totals
--   orders ──── dataset orders ────> order_results
--
-- A row of the log is never changed; its `id` is the order in which it came in.

CREATE TABLE activity (
    id          INTEGER PRIMARY KEY,
    actor       TEXT    NOT NULL CHECK (actor <> ''),
    action_name TEXT    NOT NULL CHECK (action_name <> ''),
    object_name TEXT,
    happened_at INTEGER NOT NULL
) STRICT;

CREATE INDEX activity_by_time ON activity (happened_at);
CREATE INDEX activity_by_actor ON activity (actor, happened_at);

-- By day of UTC and action; a date is the first instant of the day.
CREATE TABLE activity_totals (
    date        INTEGER NOT NULL,
    action_name TEXT    NOT NULL,
    times_done  INTEGER NOT NULL,
    PRIMARY KEY (date, action_name)
) STRICT;

CREATE TABLE order_results (
    order_id INTEGER PRIMARY KEY,
    items    INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    amount   INTEGER NOT NULL
) STRICT;
