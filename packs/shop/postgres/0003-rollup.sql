-- Sums by day of UTC and channel, and the days whose sums are out of date.
--
--   write of an order or item --trigger--> dirty_days --refresh, from the orders--> daily_metrics
--
-- A day without a mark has the sums of its orders. The generation of a mark is its transaction: a
-- mark is seen exactly when its effects are, two transactions never wait for each other's mark, and
-- removing one says nothing about others. Triggers run once a statement. A row of daily_metrics is
-- never removed: its version tells of other refreshes. A date is the first instant of the day.

CREATE TABLE daily_metrics (
    date     timestamptz NOT NULL,
    channel  text COLLATE "C" NOT NULL,
    revenue  numeric(19, 4) NOT NULL DEFAULT 0,
    orders   bigint NOT NULL DEFAULT 0,
    items    bigint NOT NULL DEFAULT 0,
    quantity bigint NOT NULL DEFAULT 0,
    version  bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (date, channel)
);

CREATE TABLE dirty_days (
    date       timestamptz NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    generation bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    PRIMARY KEY (date, channel, generation)
);

INSERT INTO dirty_days (date, channel)
SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM orders;

-- With the rights of whoever made the tables: a role that may write orders need know nothing of
-- their sums.
CREATE FUNCTION mark_days_of_orders() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM new_rows
        ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM old_rows
        ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel
        FROM ((SELECT id, ordered_at, channel FROM old_rows
               EXCEPT SELECT id, ordered_at, channel FROM new_rows)
              UNION ALL
              (SELECT id, ordered_at, channel FROM new_rows
               EXCEPT SELECT id, ordered_at, channel FROM old_rows)) AS changed
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

-- The lock keeps an order at its day until this transaction ends: another one that moves it at the
-- same time would mark its new day before these items are seen there. It does not hold up the
-- foreign keys of other items.
CREATE FUNCTION mark_days_of_items() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        WITH touched AS MATERIALIZED (
            SELECT ordered_at, channel FROM orders
            WHERE id IN (SELECT order_id FROM new_rows)
            ORDER BY id FOR NO KEY UPDATE
        )
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM touched
        ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        WITH touched AS MATERIALIZED (
            SELECT ordered_at, channel FROM orders
            WHERE id IN (SELECT order_id FROM old_rows)
            ORDER BY id FOR NO KEY UPDATE
        )
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM touched
        ON CONFLICT DO NOTHING;
    ELSE
        WITH touched AS MATERIALIZED (
            SELECT ordered_at, channel FROM orders
            WHERE id IN (
                (SELECT order_id FROM (
                    SELECT id, order_id, quantity, line_amount FROM old_rows
                    EXCEPT SELECT id, order_id, quantity, line_amount FROM new_rows) AS was)
                UNION
                (SELECT order_id FROM (
                    SELECT id, order_id, quantity, line_amount FROM new_rows
                    EXCEPT SELECT id, order_id, quantity, line_amount FROM old_rows) AS is_now))
            ORDER BY id FOR NO KEY UPDATE
        )
        INSERT INTO dirty_days (date, channel)
        SELECT DISTINCT date_trunc('day', ordered_at, 'UTC'), channel FROM touched
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION mark_all_days() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT date, channel FROM daily_metrics UNION SELECT date, channel FROM dirty_days
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- They find these tables whatever the path of whoever writes.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mark_days_of_orders', 'mark_days_of_items', 'mark_all_days'] LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %s, pg_temp', name,
                       current_setting('search_path'));
    END LOOP;
END $$;

CREATE TRIGGER orders_mark_insert AFTER INSERT ON orders
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_orders();

CREATE TRIGGER orders_mark_update AFTER UPDATE ON orders
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_orders();

CREATE TRIGGER orders_mark_delete AFTER DELETE ON orders
REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_orders();

CREATE TRIGGER order_items_mark_insert AFTER INSERT ON order_items
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_items();

CREATE TRIGGER order_items_mark_update AFTER UPDATE ON order_items
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_items();

CREATE TRIGGER order_items_mark_delete AFTER DELETE ON order_items
REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION mark_days_of_items();

CREATE TRIGGER orders_mark_truncate BEFORE TRUNCATE ON orders
FOR EACH STATEMENT EXECUTE FUNCTION mark_all_days();

CREATE TRIGGER order_items_mark_truncate BEFORE TRUNCATE ON order_items
FOR EACH STATEMENT EXECUTE FUNCTION mark_all_days();
