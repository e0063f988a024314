-- What each order comes to, one row for each.
INSERT INTO order_results (order_id, items, quantity, amount)
SELECT o.id, count(i.id), coalesce(sum(i.quantity), 0), coalesce(sum(i.line_amount), 0)
FROM orders AS o LEFT JOIN order_items AS i ON i.order_id = o.id
WHERE o.id > :after AND o.id <= :upto
GROUP BY o.id
ON CONFLICT (order_id) DO UPDATE
SET items = excluded.items, quantity = excluded.quantity, amount = excluded.amount;
