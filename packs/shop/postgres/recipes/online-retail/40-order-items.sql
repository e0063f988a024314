-- Every line becomes one item, in the order of the file, with the price it was sold at (rule 1). An
-- item's id counts up from the largest there is: in an empty database it is the line.
INSERT INTO order_items (order_id, product_id, quantity, unit_price, line_amount)
SELECT o.id, p.id, s.quantity, s.unit_price, s.quantity * s.unit_price
FROM staging_online_retail AS s
JOIN orders AS o ON o.number = s.invoice_no
JOIN products AS p ON p.sku = s.stock_code
WHERE s.line > :after AND s.line <= :upto
ORDER BY s.line;
