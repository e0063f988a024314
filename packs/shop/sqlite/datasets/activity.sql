-- How often what was done on which day. The first range begins anew.
DELETE FROM activity_totals WHERE :after < (SELECT min(id) FROM activity);
INSERT INTO activity_totals (date, action_name, times_done)
SELECT a.happened_at - ((a.happened_at % 86400000000) + 86400000000) % 86400000000 AS day,
       a.action_name, count(*)
FROM activity AS a
WHERE a.id > :after AND a.id <= :upto
GROUP BY day, a.action_name
ON CONFLICT (date, action_name) DO UPDATE SET times_done = times_done + excluded.times_done;
