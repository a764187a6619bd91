"""The SQL statements that decide which item an annotator is given, and which of their events is their answer."""

# items an annotator may be given: more labels are wanted than leases are running, and they neither hold nor answered it
_OPEN = """
    q.wanted > (SELECT COUNT(*) FROM lease l WHERE l.item = q.item AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item = q.item AND l.annotator = :annotator AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.item = q.item AND a.annotator = :annotator)
"""

# items that they skipped, wanted still: they come back at the end, once after each label, when all others who are there
# have skipped them as well; someone who labels alone has no others
_SKIPPED = """
    q.wanted > 0
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item = q.item AND l.expires > :now)
    AND a.event < (SELECT MAX(event) FROM answer WHERE annotator = :annotator AND kind = 'label')
    AND NOT EXISTS (
        SELECT 1 FROM others WHERE NOT EXISTS (
            SELECT 1 FROM answer o WHERE o.item = q.item AND o.annotator = others.name
        )
    )
"""

# {n_fresh}: how many items need a label and have none, whoever holds them.
# {skip_locked}: items that others are just being given are passed over where several servers share a database. Which
# parts run matters then: each that finds an item locks it until the transaction ends.
PICK = f"""
    WITH version AS (SELECT MAX(version) FROM model),
    assigned AS (
        SELECT q.item, q.n_labels FROM assignment s JOIN queue q ON q.item = s.item
        WHERE s.model_version = (SELECT * FROM version) AND s.annotator = :annotator AND {_OPEN}
        ORDER BY s.position LIMIT 1 {{skip_locked}}
    ),
    begun AS (
        SELECT q.item FROM queue q WHERE q.wanted > 0 AND q.n_labels > 0 AND {_OPEN}
        ORDER BY q.item LIMIT 1 {{skip_locked}}
    ),
    ranked AS (
        SELECT q.item FROM ranking r JOIN queue q ON q.item = r.item
        WHERE r.model_version = (SELECT * FROM version) AND r.position IS NOT NULL AND q.n_labels = 0 AND {_OPEN}
        ORDER BY r.position LIMIT 1 {{skip_locked}}
    ),
    drawn AS (
        SELECT q.item FROM queue q WHERE q.wanted > 0 AND q.n_labels = 0 AND {_OPEN}
        ORDER BY q.item LIMIT 1 {{skip_locked}}
    ),
    best AS (SELECT item FROM assigned UNION ALL SELECT item FROM ranked LIMIT 1),
    others AS (
        SELECT name FROM annotator WHERE name <> :annotator
        UNION SELECT annotator FROM lease WHERE annotator <> :annotator AND granted > :now - 3600
    ),
    skipped AS (
        SELECT q.item FROM answer a JOIN queue q ON q.item = a.item
        WHERE a.annotator = :annotator AND a.kind = 'skip' AND {_SKIPPED} ORDER BY a.event LIMIT 1 {{skip_locked}}
    ),
    n_open AS (
        SELECT ({{n_fresh}})
        - (SELECT COUNT(*) FROM answer a JOIN queue q ON q.item = a.item
           WHERE a.annotator = :annotator AND a.kind = 'skip' AND q.wanted > 0 AND q.n_labels = 0)
        - (SELECT COUNT(*) FROM queue q
           WHERE q.item IN (SELECT l.item FROM lease l WHERE l.expires > :now) AND q.wanted > 0 AND q.n_labels = 0
           AND NOT ({_OPEN})
           AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.item = q.item AND a.annotator = :annotator))
    ),
    pick AS (
        SELECT item, CASE WHEN n_labels = 0 THEN 'strategy' END AS source FROM assigned WHERE :ranked = 1
        UNION ALL SELECT item, NULL FROM begun
        WHERE NOT EXISTS (SELECT 1 FROM assignment WHERE model_version = (SELECT * FROM version))
        UNION ALL SELECT item, 'strategy' FROM ranked WHERE :ranked = 1
        UNION ALL SELECT item, 'random' FROM drawn
        UNION ALL SELECT item, NULL FROM begun
        UNION ALL SELECT item, NULL FROM skipped
        LIMIT 1
    )
    SELECT item, source, CASE WHEN source IS NOT NULL THEN (
        SELECT share / (SELECT * FROM n_open)
        + CASE WHEN pick.item = (SELECT item FROM best) THEN 1 - share ELSE 0 END
        FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM best) THEN :random_share ELSE 1.0 END AS share) shared
    ) END AS probability
    FROM pick
"""

# The item may have been given to others since it was picked, by another server; nothing is given then.
GRANT = """
    INSERT INTO lease (
        item, annotator, granted, expires, source, probability, model_version, prediction, confidence
    )
    SELECT
        q.item, :annotator, :now, :expires, COALESCE(:source, first.source, 'unasked'),
        COALESCE(:probability, CASE WHEN :source IS NULL THEN first.probability END),
        v.version, r.prediction, r.confidence
    FROM queue q
    CROSS JOIN (SELECT MAX(version) AS version FROM model) v
    LEFT JOIN lease first ON first.item = q.item AND first.granted = (
        SELECT MIN(l.granted) FROM lease l WHERE l.item = q.item
    )
    LEFT JOIN ranking r ON r.item = q.item AND r.model_version = v.version
    WHERE q.item = :item AND q.wanted > (SELECT COUNT(*) FROM lease l WHERE l.item = q.item AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item = q.item AND l.annotator = :annotator AND l.expires > :now)
    AND NOT EXISTS (
        SELECT 1 FROM answer a WHERE a.item = q.item AND a.annotator = :annotator AND a.kind <> 'skip'
    )
    LIMIT 1
    ON CONFLICT (item, annotator) DO UPDATE SET
        granted = excluded.granted, expires = excluded.expires, source = excluded.source,
        probability = excluded.probability, model_version = excluded.model_version,
        prediction = excluded.prediction, confidence = excluded.confidence
    RETURNING *
"""

ANSWER = """
    INSERT INTO answer (item, annotator, kind, value, event)
    SELECT item, annotator, kind, value, seq FROM event e
    WHERE item = :item AND annotator = :annotator AND kind <> 'undo'
    AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid)
    ORDER BY seq DESC LIMIT 1
"""

# nobody is asked about an item that the owner has decided about; one that is open again is asked about once more, and
# flags of before put it aside no longer
WANTED = """
    WITH counted AS (
        SELECT COUNT(CASE WHEN kind = 'label' THEN 1 END) AS labels,
            COUNT(CASE WHEN kind = 'flag' AND event > COALESCE(
                (SELECT last_event FROM decided WHERE item = queue.item AND kind = 'reopen'), 0
            ) THEN 1 END) AS flags,
            COALESCE((SELECT asked FROM decided WHERE item = queue.item), queue.asked, :overlap) AS asked
        FROM answer WHERE item = queue.item
    )
    SELECT labels, CASE
        WHEN flags > 0 OR EXISTS (SELECT 1 FROM decided WHERE item = queue.item AND kind <> 'reopen') THEN 0
        WHEN labels > asked THEN 0 ELSE asked - labels END
    FROM counted
"""

UPDATE_QUEUE = f"UPDATE queue SET (n_labels, wanted) = ({WANTED})"

# after an undo the annotator holds the item again, unless enough others hold it by now
LEASE_ANEW = """
    UPDATE lease SET expires = CASE
        WHEN source = 'gold' OR (SELECT wanted FROM queue WHERE item = :item) >
            (SELECT COUNT(*) FROM lease l WHERE l.item = :item AND l.expires > :now)
        THEN :now + :seconds ELSE :now END
    WHERE item = :item AND annotator = :annotator
    AND NOT EXISTS (SELECT 1 FROM answer WHERE item = :item AND annotator = :annotator)
"""

PUT_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

RENAMED_PREDICTIONS = "UPDATE {table} SET prediction = :new WHERE prediction = :old"
