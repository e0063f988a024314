--! title = "Revenue by day"
--! about = "Revenue, orders and quantity of each day of UTC that has any, newest first"
--! key = ["day"]
--! order = "-day"
--! columns = { day = "text", revenue = "money", orders = "int", quantity = "int" }
--! [params]
--! from = { type = "time", about = "the first moment" }
--! to = { type = "time", default = "2200-01-01", about = "the moment behind the last" }
--! channel = { type = "text", optional = true }
SELECT date(o.ordered_at / 1000000, 'unixepoch') AS day,
       sum(i.line_amount) AS revenue,
       count(DISTINCT o.id) AS orders,
       sum(i.quantity) AS quantity
FROM orders AS o
JOIN order_items AS i ON i.order_id = o.id
WHERE o.ordered_at >= :from AND o.ordered_at < :to
  AND (:channel IS NULL OR o.channel = :channel)
GROUP BY day
