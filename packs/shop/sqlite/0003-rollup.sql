-- Sums by day of UTC and channel, and the days whose sums are out of date.
--
--   write of an order or item --trigger--> dirty_days --refresh, from the orders--> daily_metrics
--
-- A day without a mark has the sums of its orders. A mark of generation 0 is left by triggers; one
-- that is there stands for all later writes as well, so that a trigger is one look-up. A refresh
-- takes it away before it reads. A row is never removed: its version tells of other refreshes.
-- A date is the first instant of the day. ON CONFLICT stands in the place of OR IGNORE, which the
-- statement that fires a trigger would override.

CREATE TABLE daily_metrics (
    date     INTEGER NOT NULL,
    channel  TEXT    NOT NULL,
    revenue  INTEGER NOT NULL DEFAULT 0,
    orders   INTEGER NOT NULL DEFAULT 0,
    items    INTEGER NOT NULL DEFAULT 0,
    quantity INTEGER NOT NULL DEFAULT 0,
    version  INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (date, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE dirty_days (
    date       INTEGER NOT NULL,
    channel    TEXT    NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (date, channel, generation)
) STRICT, WITHOUT ROWID;

-- SQLite's remainder has the sign of what is divided.
INSERT INTO dirty_days (date, channel)
SELECT DISTINCT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
FROM orders;

-- REPLACE removes rows without a trigger: those that it would remove are looked for before. An id
-- that the database makes is -1 here.
CREATE TRIGGER orders_mark_replaced BEFORE INSERT ON orders
WHEN EXISTS (SELECT 1 FROM orders WHERE number = new.number)
    OR new.id > 0 AND EXISTS (SELECT 1 FROM orders WHERE id = new.id) BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = new.id OR number = new.number
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER orders_mark_overwritten BEFORE UPDATE OF id, number ON orders
WHEN (old.id, old.number) IS NOT (new.id, new.number) BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = new.id OR number = new.number
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER orders_mark_insert AFTER INSERT ON orders BEGIN
    INSERT INTO dirty_days (date, channel)
    VALUES (new.ordered_at - (new.ordered_at % 86400000000 + 86400000000) % 86400000000,
            new.channel)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER orders_mark_update AFTER UPDATE OF id, ordered_at, channel ON orders
WHEN (old.id, old.ordered_at, old.channel) IS NOT (new.id, new.ordered_at, new.channel) BEGIN
    INSERT INTO dirty_days (date, channel)
    VALUES (old.ordered_at - (old.ordered_at % 86400000000 + 86400000000) % 86400000000,
            old.channel),
           (new.ordered_at - (new.ordered_at % 86400000000 + 86400000000) % 86400000000,
            new.channel)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER orders_mark_delete AFTER DELETE ON orders BEGIN
    INSERT INTO dirty_days (date, channel)
    VALUES (old.ordered_at - (old.ordered_at % 86400000000 + 86400000000) % 86400000000,
            old.channel)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_replaced BEFORE INSERT ON order_items
WHEN new.id > 0 AND EXISTS (SELECT 1 FROM order_items WHERE id = new.id) BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = (SELECT order_id FROM order_items WHERE id = new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_insert AFTER INSERT ON order_items BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = new.order_id
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_overwritten BEFORE UPDATE OF id ON order_items
WHEN old.id <> new.id BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = (SELECT order_id FROM order_items WHERE id = new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_update
AFTER UPDATE OF id, order_id, quantity, line_amount ON order_items
WHEN (old.id, old.order_id, old.quantity, old.line_amount)
    IS NOT (new.id, new.order_id, new.quantity, new.line_amount) BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id IN (old.order_id, new.order_id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_delete AFTER DELETE ON order_items BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = old.order_id
    ON CONFLICT DO NOTHING;
END;
