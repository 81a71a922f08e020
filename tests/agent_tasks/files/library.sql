CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author TEXT, year INTEGER, copies INTEGER);
CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT, joined TEXT);
CREATE TABLE loans (id INTEGER PRIMARY KEY, book_id INTEGER, member_id INTEGER, lent_on TEXT, returned_on TEXT);
INSERT INTO books VALUES
 (1, 'Tides and Harbours', 'L. Okafor', 1998, 2), (2, 'A Field of Flax', 'M. Sand', 2011, 1),
 (3, 'Bridges', 'T. Ueda', 2005, 3), (4, 'Night Trains', 'L. Okafor', 2014, 1), (5, 'The Salt Road', 'R. Quist', 1987, 2);
INSERT INTO members VALUES (1, 'Hana', '2022-01-10'), (2, 'Emil', '2023-05-02'), (3, 'Noor', '2024-09-30'), (4, 'Vito', '2025-02-14');
INSERT INTO loans VALUES
 (1, 1, 1, '2026-01-03', '2026-01-20'), (2, 3, 2, '2026-01-05', NULL), (3, 2, 1, '2026-01-21', '2026-02-02'),
 (4, 4, 3, '2026-01-25', NULL), (5, 3, 1, '2026-02-03', '2026-02-19'), (6, 1, 3, '2026-02-10', '2026-03-01'),
 (7, 5, 2, '2026-02-12', '2026-02-28'), (8, 3, 3, '2026-03-02', NULL), (9, 1, 2, '2026-03-05', NULL);
