//! Measurements: one row for each that was counted. A fact records which event counted it, and the event's payload contains its
//! values. Costs are stored by day and attributes, so the cost of a measurement is its share, by quantity, of the day's cost.

use super::Sql;

/// Returns the source of measurements: a query in parentheses, or the name of a view.
pub(super) fn rows(sql: Sql<'_>) -> String {
    match sql {
        Sql::Sqlite(_) => format!("({SQLITE})"),
        Sql::Postgres(schema, _) => format!("{schema}.host_measurements"),
    }
}

/// An event may repeat an id, and the first one counts. A measurement belongs to the usage of its day that has the
/// most of its attributes.
const SQLITE: &str = "\
SELECT m.scope, m.id, m.meter, m.quantity, m.at, m.attributes, m.received_at, m.event,
    (SELECT CAST(round(1.0 * m.quantity * (x.value ->> 'cost_micros') / (x.value ->> 'quantity')) AS INTEGER)
        FROM rows AS d, json_each(d.value, '$.uses') AS x
        WHERE d.scope = m.scope AND d.key = 'record:usage_days:' || date(m.at / 1000, 'unixepoch')
            AND x.value ->> 'meter' = m.meter AND x.value ->> 'quantity' > 0
            AND NOT EXISTS (SELECT 1 FROM json_each(x.value, '$.attributes') AS a
                WHERE a.value NOT IN (SELECT b.value FROM json_each(m.attributes) AS b))
        ORDER BY json_array_length(x.value, '$.attributes') DESC LIMIT 1) AS cost_micros,
    (SELECT CAST(round(1.0 * m.quantity * (k.value ->> 'micros') / nullif((SELECT sum(y.value ->> 'quantity')
            FROM json_each(n.value, '$.uses') AS y WHERE y.value ->> 'meter' = m.meter
                AND EXISTS (SELECT 1 FROM json_each(y.value, '$.attributes') AS c WHERE c.value ->> 1 = k.key)), 0)) AS INTEGER)
        FROM rows AS n, json_each(n.value, '$.sellers') AS k
        WHERE n.scope = m.scope AND n.key = 'record:usage_months:' || strftime('%Y-%m', m.at / 1000, 'unixepoch')
            AND EXISTS (SELECT 1 FROM json_each(m.attributes) AS e WHERE e.value ->> 1 = k.key)
        LIMIT 1) AS seller_micros,
    (SELECT o.value ->> 'invoice' FROM rows AS o WHERE o.scope = m.scope
        AND o.key = 'record:usage_months:' || strftime('%Y-%m', m.at / 1000, 'unixepoch')) AS invoice
FROM (
    SELECT f.scope, u.value ->> 'id' AS id, u.value ->> 'meter' AS meter, u.value ->> 'quantity' AS quantity,
        u.value ->> 'at' AS at, u.value -> 'attributes' AS attributes, g.received_at, g.id AS event, min(u.key) AS first
    FROM facts AS f
        JOIN scopes AS h ON h.id = f.scope
        JOIN events AS g ON g.id = f.event_id AND g.partition = h.partition AND g.account = h.account AND g.payload_kind = 2
        JOIN event_texts AS t ON t.seq = g.seq
        JOIN json_each(CASE WHEN g.payload_kind = 2 THEN CAST(t.payload AS TEXT) ELSE '{}' END, '$.usage') AS u
    WHERE f.fact >= 'usage:' AND f.fact < 'usage;' AND f.fact = 'usage:' || (u.value ->> 'meter') || ':' || (u.value ->> 'id')
    GROUP BY f.scope, f.fact
) AS m";

/// Returns the query for PostgreSQL, for the business of a schema.
pub(crate) fn postgres(schema: &str) -> String {
    POSTGRES.replace("SCHEMA", schema)
}

const POSTGRES: &str = "\
SELECT m.scope, m.id, m.meter, m.quantity, m.at, m.attributes, m.received_at, m.event,
    (SELECT round((m.quantity * (x ->> 'cost_micros')::numeric) / (x ->> 'quantity')::numeric)::bigint
        FROM rows AS d, jsonb_array_elements(d.value::jsonb -> 'uses') AS x
        WHERE d.scope = m.scope AND d.key = 'record:usage_days:' || to_char(to_timestamp(m.at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            AND x ->> 'meter' = m.meter AND (x ->> 'quantity')::numeric > 0 AND m.attributes @> (x -> 'attributes')
        ORDER BY jsonb_array_length(x -> 'attributes') DESC LIMIT 1) AS cost_micros,
    (SELECT round((m.quantity * (k.value ->> 'micros')::numeric) / nullif((SELECT sum((y ->> 'quantity')::numeric)
            FROM jsonb_array_elements(n.value::jsonb -> 'uses') AS y WHERE y ->> 'meter' = m.meter
                AND EXISTS (SELECT 1 FROM jsonb_array_elements(y -> 'attributes') AS c WHERE c ->> 1 = k.key)), 0))::bigint
        FROM rows AS n, jsonb_each(n.value::jsonb -> 'sellers') AS k
        WHERE n.scope = m.scope AND n.key = 'record:usage_months:' || to_char(to_timestamp(m.at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM')
            AND EXISTS (SELECT 1 FROM jsonb_array_elements(m.attributes) AS e WHERE e ->> 1 = k.key)
        LIMIT 1) AS seller_micros,
    (SELECT o.value::jsonb ->> 'invoice' FROM rows AS o
        WHERE o.scope = m.scope AND o.key = 'record:usage_months:' || to_char(to_timestamp(m.at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM')
        LIMIT 1) AS invoice
FROM (
    SELECT DISTINCT ON (f.scope, f.fact) f.scope, u.item ->> 'id' AS id, u.item ->> 'meter' AS meter,
        (u.item ->> 'quantity')::bigint AS quantity, (u.item ->> 'at')::bigint AS at, u.item -> 'attributes' AS attributes,
        g.received_at, g.id AS event
    FROM facts AS f
        JOIN scopes AS h ON h.id = f.scope AND h.partition = SCHEMA.host_partition()
        JOIN events AS g ON g.id = f.event_id AND g.partition = h.partition AND g.account = h.account AND g.payload_kind = 2
        CROSS JOIN LATERAL jsonb_array_elements(
            CASE WHEN g.payload_kind = 2 THEN convert_from(g.payload, 'UTF8')::jsonb -> 'usage' END
        ) WITH ORDINALITY AS u (item, place)
    WHERE f.fact >= 'usage:' AND f.fact < 'usage;' AND f.fact = 'usage:' || (u.item ->> 'meter') || ':' || (u.item ->> 'id')
    ORDER BY f.scope, f.fact, u.place
) AS m
WHERE SCHEMA.host_sees(m.scope)";
