-- The store itself keeps what refers to what: triggers have SQLite keep a journal of every write of a row, and take it
-- apart with json_each, also where nothing that anybody asks by has changed.
DROP TRIGGER products_refer;
DROP TRIGGER products_refer_anew;
DROP TRIGGER prices_refer;
DROP TRIGGER prices_refer_anew;
DROP TRIGGER purchases_refer;
DROP TRIGGER purchases_refer_anew;
DROP TRIGGER subscriptions_refer;
DROP TRIGGER subscriptions_refer_anew;
DROP TRIGGER records_refer;
DROP TRIGGER records_refer_anew;
DROP TRIGGER records_go;

-- Nobody asks which rows refer to a part of the catalog.
DELETE FROM refs WHERE target >= 'catalog:' AND target < 'catalog;';
