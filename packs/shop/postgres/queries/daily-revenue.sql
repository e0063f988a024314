--! title = "Revenue by day"
--! about = "Revenue, orders and quantity of each day of UTC that has any, newest first"
--! key = ["day"]
--! order = "-day"
--! columns = { revenue = "money" }
--! cost_max = 10_000_000
--! [params]
--! from = { type = "time", about = "the first moment" }
--! to = { type = "time", default = "2200-01-01", about = "the moment behind the last" }
--! channel = { type = "text", optional = true }
SELECT (o.ordered_at AT TIME ZONE 'UTC')::date::text COLLATE "C" AS day,
       sum(i.line_amount) AS revenue,
       count(DISTINCT o.id) AS orders,
       sum(i.quantity)::bigint AS quantity
FROM orders AS o
JOIN order_items AS i ON i.order_id = o.id
WHERE o.ordered_at >= :from AND o.ordered_at < :to
  AND (:channel IS NULL OR o.channel = :channel)
GROUP BY day
