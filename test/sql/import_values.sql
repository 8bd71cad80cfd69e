-- Amounts, times and CSV records of other systems: read by the format that is declared,
-- and by nothing else.
\pset null '-'
SET timezone = 'Asia/Tokyo';

SELECT f.format, v.value, crm_import_amount(v.value, f.format) AS amount, crm_import_currency(v.value, f.format) AS currency
FROM (VALUES ('1234.56'), ('1,234.56'), ('1.234,56'), ('1 234,56'), ('1''234.56'), ('cents'), ('micros')) AS f (format)
    CROSS JOIN (VALUES ('1234'), ('1,234'), ('1.234'), ('1.234,56 €'), ('$1,234.56'), ('(500.00)'), ('-$7'), ('5-')) AS v (value)
ORDER BY f.format, v.value COLLATE "C";

-- Digits are kept, groups are of three, spaces and signs of any kind.
SELECT v.value, v.format, crm_import_amount(v.value, v.format)
FROM (VALUES ('0.000000000000000000001', '1234.56'), ('1,23,456.00', '1,234.56'), ('1,2345', '1,234.56'), ('1234,567', '1,234.56'),
    (U&'1\00A0234,50', '1 234,56'), (U&'1\202F234\202F567,5 EUR', '1 234,56'), (U&'\22125', '1234.56'), (U&'1\2019234.5', '1''234.56'),
    ('(-5)', '1234.56'), ('--5', '1234.56'), ('1.', '1234.56'), ('.5', '1234.56'), ('1e5', '1234.56'), ('NaN', '1234.56'), ('Infinity', '1234.56'),
    ('', '1234.56'), ('EUR', '1234.56'), ('EUR 5 EUR', '1234.56'), ('12.5', 'cents'), ('-1250', 'cents'), ('1', 'micros'), ('1,000', 'micros'),
    ('1.000.000', '1.234,56'), ('1.000.00', '1.234,56')) AS v (value, format);
SELECT crm_import_amount('1', 'dollars');
SELECT crm_import_currency('1', '');

SELECT v.value, v.format, crm_import_time(v.value, v.format, 'UTC') AT TIME ZONE 'UTC' AS time
FROM (VALUES ('2024-01-31', 'iso'), ('2024-02-30', 'iso'), ('2023-02-29', 'iso'), ('2024-02-29', 'iso'), ('2024-1-5', 'iso'), ('24-01-05', 'iso'),
    ('2024-01-31 14:30', 'iso'), ('2024-01-31T14:30:15Z', 'iso'), ('2024-01-31T14:30:15.123456+02:00', 'iso'), ('2024-01-31 14:30:15.1234567 UTC', 'iso'),
    ('2024-01-31T14:30:15.000+0530', 'iso'), ('2024-01-31 24:00', 'iso'), ('2024-01-31 14:60', 'iso'), ('2024-01-31 x', 'iso'), ('2024/01/31', 'iso'),
    ('2024-01/31', 'iso'), ('31.01.2024', 'iso'), ('03/04/2024', 'dmy'), ('03/04/2024', 'mdy'), ('31.12.2024 08:00', 'dmy'), ('12/31/2024 12:05 AM', 'mdy'),
    ('12/31/2024 12:05 PM', 'mdy'), ('12/31/2024 1:05:06 pm', 'mdy'), ('12/31/2024 13:05 PM', 'mdy'), ('31/12/2024', 'mdy'), ('1706711400', 'epoch'),
    ('1706711400000', 'epoch_ms'), ('-1', 'epoch'), ('1706711400.5', 'epoch'), ('99999999999999999999', 'epoch'), ('999999999999999', 'epoch'),
    ('1899-12-31', 'iso'), ('', 'iso'), ('now', 'iso'), ('infinity', 'iso')) AS v (value, format);
-- A zone, with its summer time.
SELECT crm_import_time('2024-07-01 12:00', 'iso', 'Europe/Berlin') AT TIME ZONE 'UTC' AS summer,
    crm_import_time('2024-01-01 12:00', 'iso', 'Europe/Berlin') AT TIME ZONE 'UTC' AS winter;
SELECT crm_import_time('2024-01-01', 'ymd', 'UTC');
SELECT crm_import_time('2024-01-01', 'iso', 'Nowhere/Town');
SELECT crm_import_time('2024-01-01', 'iso', '+02:00');
SELECT crm_import_time('2024-01-01 12:00', 'iso', 'Etc/GMT-2') AT TIME ZONE 'UTC' AS east;

SELECT v.record, crm_import_fields(v.record, v.delimiter)
FROM (VALUES ('a,b,c', ','), ('a,,"",d', ','), ('"x, ""y""";2', ';'), (E'"two\nlines",z', ','), ('"open', ','), ('"a"b,c', ','), ('a"b,c', ','),
    ('', ','), (',', ','), ('a b', ' '), ('"', ','), ('""""', ',')) AS v (record, delimiter);
SELECT crm_import_fields('a', '');
SELECT crm_import_fields('a', '"');
SELECT crm_import_header(U&'\FEFFid, Name ,,Name', ',');
SELECT * FROM crm_import_policies();
