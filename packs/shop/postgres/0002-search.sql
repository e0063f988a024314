-- Words in the code and the name of products, for search. `simple` knows no language: a word is
-- found as it is written, in either case. It may be there: a search without it says how to make it.

CREATE INDEX IF NOT EXISTS products_search ON products
    USING gin (to_tsvector('simple', sku || ' ' || name));
