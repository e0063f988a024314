-- How often what was done on which day. The first range begins anew.
DELETE FROM activity_totals WHERE :after < (SELECT min(id) FROM activity);
INSERT INTO activity_totals (date, action, events)
SELECT a.at - ((a.at % 86400000000) + 86400000000) % 86400000000 AS day, a.action, count(*)
FROM activity AS a
WHERE a.id > :after AND a.id <= :upto
GROUP BY day, a.action
ON CONFLICT (date, action) DO UPDATE SET events = events + excluded.events;
