--! title = "Activity by day and action"
--! about = "Events and actors of each day of UTC and action that has any, newest first"
--! key = ["day", "action_name"]
--! order = "-day"
--! cost_max = 10_000_000
--! [params]
--! from = { type = "time", about = "the first moment" }
--! to = { type = "time", default = "2200-01-01", about = "the moment behind the last" }
--! actor = { type = "text", optional = true }
SELECT (a.happened_at AT TIME ZONE 'UTC')::date::text COLLATE "C" AS day,
       a.action_name AS action_name,
       count(*) AS times_done,
       count(DISTINCT a.actor) AS actors
FROM activity AS a
WHERE a.happened_at >= :from AND a.happened_at < :to AND (:actor IS NULL OR a.actor = :actor)
GROUP BY day, a.action_name
