-- Orders :after+1 to :upto; the id is the number. Hashing as in 20-products.sql.
--
-- The day grows with the number, so the indexes by time grow at their end: day = days * u * (1.3 -
-- 0.3 u) with u = number / count, in millionths. The last day therefore sells about twice what the
-- first did. The second of the day is the sum of two uniform values: most orders come at noon.
--
-- The days of all these orders are marked by one statement in the place of triggers, which are
-- away in this transaction alone and come back as 0003-rollup.sql declares them.
DROP TRIGGER orders_mark_replaced;
DROP TRIGGER orders_mark_insert;

INSERT INTO orders (id, number, customer_id, channel, status, country, ordered_at)
WITH RECURSIVE
n (i) AS (
    SELECT :after + 1 WHERE :after < :upto
    UNION ALL
    SELECT i + 1 FROM n WHERE i < :upto
),
h1 (i, u, x) AS MATERIALIZED (
    SELECT i,
           (i - 1) * 1000000 / :orders,
           (i * 39373 + abs(:seed % 2147483647) * 16807 + 3) % 2147483647
    FROM n
),
h2 (i, u, x, y) AS MATERIALIZED (
    SELECT i, u, x, (x * x + i) % 2147483647 FROM h1
),
h3 (i, u, z) AS MATERIALIZED (
    SELECT i, u, (y * y + x) % 2147483647 FROM h2
),
-- One order in ten is a guest's. The square makes some customers come often.
chosen (i, u, z, customer_id, country) AS MATERIALIZED (
    SELECT i,
           u,
           z,
           CASE WHEN z * 48271 % 2147483647 * 10 >> 31 > 0
                THEN 1 + ((z * 69621 % 2147483647) * (z * 69621 % 2147483647) >> 31)
                         * :customers / 2147483648
           END,
           (z * z >> 31) * 16 >> 31
    FROM h3
)
SELECT chosen.i,
       printf('W%08d', chosen.i),
       customer_id,
       CASE WHEN z * 16807 % 2147483647 * 100 >> 31 < 62 THEN 'online'
            WHEN z * 16807 % 2147483647 * 100 >> 31 < 90 THEN 'store'
            ELSE 'partner'
       END,
       CASE WHEN z * 62089 % 2147483647 * 100 >> 31 < 94 THEN 'completed'
            WHEN z * 62089 % 2147483647 * 100 >> 31 < 99 THEN 'cancelled'
            ELSE 'adjustment'
       END,
       coalesce(customer.country, guest.word),
       (1719792000
           + 730 * u * (13000000 - 3 * u) / 10000000000000 * 86400
           + (z * 40692 % 2147483647 * 43200 >> 31)
           + (z * 52774 % 2147483647 * 43200 >> 31)) * 1000000
FROM chosen
LEFT JOIN customers AS customer ON customer.id = chosen.customer_id
LEFT JOIN demo_words AS guest ON guest.list = 'country' AND guest.k = chosen.country;

INSERT INTO dirty_days (date, channel)
SELECT DISTINCT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
FROM orders WHERE id > :after AND id <= :upto
ON CONFLICT DO NOTHING;

CREATE TRIGGER orders_mark_replaced BEFORE INSERT ON orders
WHEN EXISTS (SELECT 1 FROM orders WHERE number = new.number)
    OR new.id > 0 AND EXISTS (SELECT 1 FROM orders WHERE id = new.id) BEGIN
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
