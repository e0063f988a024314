-- Products :after+1 to :upto; the id is the number.
--
--   i --> x --> y --> z    three rounds of multiply or square, add, modulo 2^31 - 1
--
-- z looks random in 0 .. 2^31 - 2, and so do its multiples; `value * n >> 31` scales one to
-- 0 .. n - 1. Every intermediate stays below 2^63, or SQLite would go on in floating point.
-- MATERIALIZED keeps each round from being worked out again wherever it is named. A variant is
-- drawn from 48 though the list has 16: two products in three have none.
INSERT INTO products (id, sku, name, category, price, stock, created_at, updated_at)
WITH RECURSIVE
n (i) AS (
    SELECT :after + 1 WHERE :after < :upto
    UNION ALL
    SELECT i + 1 FROM n WHERE i < :upto
),
h1 (i, x) AS MATERIALIZED (
    SELECT i, (i * 48271 + abs(:seed % 2147483647) * 69621 + 1) % 2147483647 FROM n
),
h2 (i, x, y) AS MATERIALIZED (
    SELECT i, x, (x * x + i) % 2147483647 FROM h1
),
h3 (i, z) AS MATERIALIZED (
    SELECT i, (y * y + x) % 2147483647 FROM h2
),
chosen (i, category, noun, adjective, material, variant, dear, ending, stock, made, changed, z)
AS MATERIALIZED (
    SELECT i,
           ((z * z >> 31) + z) * 6 >> 31,
           z * 48271 % 2147483647 * 10 >> 31,
           z * 69621 % 2147483647 * 16 >> 31,
           z * 39373 % 2147483647 * 16 >> 31,
           z * 16807 % 2147483647 * 48 >> 31,
           z * 62089 % 2147483647,
           z * 40692 % 2147483647 * 5 >> 31,
           z * 52774 % 2147483647,
           z * 40014 % 2147483647,
           z * 45742 % 2147483647,
           z
    FROM h3
),
-- The cube of a uniform value makes dear products rare.
priced (i, c, cents, fraction) AS MATERIALIZED (
    SELECT i,
           category,
           cheapest + ((dearest - cheapest) * ((dear * dear >> 31) * dear >> 31) >> 31),
           -- One product in 200 is sold by the piece, at a price finer than a cent.
           CASE WHEN z % 200 = 0 THEN z % 99 + 1 ELSE 0 END
    FROM chosen CROSS JOIN demo_categories AS c ON c.k = category
)
SELECT chosen.i,
       c.prefix || '-' || printf('%07d', chosen.i),
       adjective.word || ' ' || material.word || ' ' || noun.word
           || coalesce(', ' || variant.word, ''),
       CASE WHEN z % 100 <> 7 THEN c.name END,
       CASE WHEN cents < 100 THEN cents
            ELSE cents / 100 * 100
                 + CASE ending WHEN 0 THEN 0 WHEN 1 THEN 50 WHEN 2 THEN 95 ELSE 99 END
       END * 100 + fraction,
       CASE WHEN stock % 25 = 0 THEN 0 ELSE (stock * stock >> 31) * 500 >> 31 END,
       -- Made in the two years before the first order, last changed at any time since.
       (1656633600 + (made * 63072000 >> 31)) * 1000000,
       (1656633600 + (made * 63072000 >> 31)
           + (changed * (1782863999 - 1656633600 - (made * 63072000 >> 31)) >> 31)) * 1000000
FROM chosen
CROSS JOIN priced ON priced.i = chosen.i
CROSS JOIN demo_categories AS c ON c.k = chosen.category
CROSS JOIN demo_words AS adjective
    ON adjective.list = 'adjective' AND adjective.k = chosen.adjective
CROSS JOIN demo_words AS material ON material.list = 'material' AND material.k = chosen.material
CROSS JOIN demo_words AS noun ON noun.list = c.prefix AND noun.k = chosen.noun
LEFT JOIN demo_words AS variant ON variant.list = 'variant' AND variant.k = chosen.variant;
