select 'SQLite', sqlite_version();
pragma journal_mode = delete;
create table bird (id integer primary key, name text unique, grams real);
create table count (bird references bird, month integer, seen integer);
begin;
insert into bird (name, grams) values
  ('dunlin', 48), ('knot', 140), ('sanderling', 57), ('curlew', 800), ('little stint', 25.5);
with recursive month(m) as (values (1) union all select m + 1 from month where m < 12)
  insert into count select id, m, (id * 37 + m * m * 11) % 97 from bird, month;
commit;
create index by_month on count (month, seen desc);
select name, sum(seen), max(seen), round(avg(seen), 3) from bird join count on bird = id
  group by name order by 2 desc;
select month, name, seen, rank() over (partition by month order by seen desc) as place
  from count join bird on bird = id where month in (3, 9) order by month, place;
update bird set grams = grams * 1.1 where name like '%t';
delete from count where seen < 20;
select count(*), json_group_array(name) from (select name from bird where grams > 50 order by name);
with recursive n(i) as (values (1) union all select i + 1 from n where i < 200000)
  select count(*), sum(i * i % 1009) from n where i % 7 in (2, 5);
savepoint a; delete from bird; rollback to a; release a;
vacuum;
pragma integrity_check;
