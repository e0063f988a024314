-- 2,000 tables with an index, a foreign key and a few rows each. Each secret holds HUSH.
do $$ begin
  for i in 1..2000 loop
    execute format('create table t%1$s (id bigint primary key, name text not null,
      amount numeric(12,2), made timestamptz default ''2026-01-01Z'', api_token text,
      parent bigint references t%2$s (id))', i, greatest(i - 1, 1));
    execute format('create index on t%s (made, id)', i);
    execute format('insert into t%s select n, ''n'' || n, n, ''2026-01-01Z'', ''HUSH''
      from generate_series(1, 3) n', i);
    if i % 200 = 0 then commit; end if;
  end loop;
end $$;
