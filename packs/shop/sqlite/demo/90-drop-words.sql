-- The words have served.
DROP TABLE demo_words;
DROP TABLE demo_categories;
