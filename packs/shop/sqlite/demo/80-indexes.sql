-- The indexes that 15-drop-indexes.sql took away, as 0001-schema.sql declares them.
CREATE INDEX IF NOT EXISTS products_by_price ON products (price);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer_id);
CREATE INDEX IF NOT EXISTS order_items_by_product ON order_items (product_id);
