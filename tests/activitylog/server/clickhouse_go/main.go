// What clickhouse-go does over HTTP, done to the server at HOST:PORT: prints a line of JSON for each step that went well
// and ends with status 1 at the first that did not.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

type step struct {
	Step   string `json:"step"`
	Detail string `json:"detail"`
}

func done(name, format string, values ...any) {
	line, _ := json.Marshal(step{name, fmt.Sprintf(format, values...)})
	fmt.Println(string(line))
}

func must(name string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func expect(name string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		must(name, fmt.Errorf("got %v, want %v", got, want))
	}
}

func open(address string, method clickhouse.CompressionMethod) driver.Conn {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "default", Username: "default", Password: "ignored"},
		Compression: &clickhouse.Compression{Method: method, Level: 3},
		Settings:    clickhouse.Settings{"max_execution_time": 60},
		DialTimeout: 5 * time.Second,
	})
	must("open", err)
	return conn
}

const table = `CREATE TABLE go_check (
	id UInt64, name String, low LowCardinality(String), maybe Nullable(String), tags Array(String),
	attributes Map(LowCardinality(String), String), at DateTime64(9), ok Bool, ratio Float64, pair Tuple(UInt8, String)
) ENGINE = MergeTree ORDER BY id`

func roundTrip(ctx context.Context, address, name string, method clickhouse.CompressionMethod) {
	conn := open(address, method)
	defer conn.Close()
	must(name+" ping", conn.Ping(ctx))
	must(name+" drop", conn.Exec(ctx, "DROP TABLE IF EXISTS go_check"))
	must(name+" create", conn.Exec(ctx, table))

	batch, err := conn.PrepareBatch(ctx, "INSERT INTO go_check")
	must(name+" prepare", err)
	at := time.Date(2024, 3, 1, 12, 0, 0, 123456789, time.UTC)
	for i := range 20000 {
		var maybe *string
		if i%3 == 0 {
			text := fmt.Sprintf("maybe %d", i)
			maybe = &text
		}
		must(name+" append", batch.Append(uint64(i), fmt.Sprintf("name %d ü", i), fmt.Sprintf("low %d", i%7), maybe,
			[]string{"a", fmt.Sprint(i)}, map[string]string{"key": strings.Repeat("v", i%200)}, at.Add(time.Duration(i)),
			i%2 == 0, float64(i)/4, []any{uint8(i % 256), "p"}))
	}
	must(name+" send", batch.Send())

	rows, err := conn.Query(ctx, "SELECT * FROM go_check ORDER BY id")
	must(name+" query", err)
	count := 0
	for rows.Next() {
		var (
			id         uint64
			text, low  string
			maybe      *string
			tags       []string
			attributes map[string]string
			when       time.Time
			ok         bool
			ratio      float64
			pair       []any
		)
		must(name+" scan", rows.Scan(&id, &text, &low, &maybe, &tags, &attributes, &when, &ok, &ratio, &pair))
		expect(name+" id", id, uint64(count))
		expect(name+" name", text, fmt.Sprintf("name %d ü", count))
		expect(name+" low", low, fmt.Sprintf("low %d", count%7))
		expect(name+" maybe", maybe != nil, count%3 == 0)
		expect(name+" tags", tags, []string{"a", fmt.Sprint(count)})
		expect(name+" attributes", attributes["key"], strings.Repeat("v", count%200))
		expect(name+" at", when.UnixNano(), at.Add(time.Duration(count)).UnixNano())
		expect(name+" ok", ok, count%2 == 0)
		expect(name+" ratio", ratio, float64(count)/4)
		expect(name+" pair", fmt.Sprint(pair), fmt.Sprint([]any{count % 256, "p"}))
		count++
	}
	must(name+" rows", rows.Err())
	must(name+" drop", conn.Exec(ctx, "DROP TABLE go_check"))
	expect(name+" count", count, 20000)
	done(name, "%d rows there and back", count)
}

func parameters(ctx context.Context, conn driver.Conn) {
	var text string
	var number uint8
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"text": "it's", "number": "7"}))
	must("parameters", conn.QueryRow(ctx, "SELECT {text:String}, {number:UInt8}").Scan(&text, &number))
	expect("parameters", []any{text, number}, []any{"it's", uint8(7)})
	done("parameters", "%s %d", text, number)
}

func settings(ctx context.Context, conn driver.Conn) {
	var threads, after uint64
	with := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1}))
	must("settings", conn.QueryRow(with, "SELECT toUInt64(getSetting('max_block_size')), toUInt64(getSetting('max_threads'))").Scan(&after, &threads))
	expect("settings", threads, uint64(1))
	unknown := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1}))
	code := codeOf(conn.Exec(unknown, "SELECT 1"))
	expect("unknown setting", code, int32(115))
	done("settings", "max_threads %d, unknown setting %d", threads, code)
}

func codeOf(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	must("exception", fmt.Errorf("no ClickHouse exception: %v", err))
	return 0
}

func exceptions(ctx context.Context, conn driver.Conn) {
	_, err := conn.Query(ctx, "SELECT * FROM no_such_table")
	expect("unknown table", codeOf(err), int32(60))
	expect("syntax", codeOf(conn.Exec(ctx, "SELEC 1")), int32(62))
	rows, err := conn.Query(ctx, "SELECT number, throwIf(number = 3000000) FROM numbers(5000000)")
	must("midstream", err)
	read := 0
	for rows.Next() {
		read++
	}
	expect("midstream", codeOf(rows.Err()), int32(395))
	if read == 0 || read > 3000000 {
		must("midstream", fmt.Errorf("%d rows before the error", read))
	}
	done("exceptions", "60, 62, and 395 after some rows")
}

func asyncInsert(ctx context.Context, conn driver.Conn) {
	must("async table", conn.Exec(ctx, "CREATE OR REPLACE TABLE go_async (id UInt64) ENGINE = MergeTree ORDER BY id"))
	must("async insert", conn.AsyncInsert(ctx, "INSERT INTO go_async VALUES (1), (2)", true))
	with := clickhouse.Context(ctx, clickhouse.WithAsync(true))
	must("with async", conn.Exec(with, "INSERT INTO go_async VALUES (3)"))
	setting := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 1, "wait_for_async_insert": 1}))
	batch, err := conn.PrepareBatch(setting, "INSERT INTO go_async (id)")
	must("async batch", err)
	must("async append", batch.Append(uint64(4)))
	must("async send", batch.Send())
	var count uint64
	must("async count", conn.QueryRow(ctx, "SELECT count() FROM go_async").Scan(&count))
	expect("async count", count, uint64(4))
	done("async_insert", "%d rows", count)
}

// Brotli is not served; the error must be the server's, with its code.
func refused(ctx context.Context, address string) {
	plain := open(address, clickhouse.CompressionNone)
	defer plain.Close()
	must("brotli table", plain.Exec(ctx, "CREATE OR REPLACE TABLE go_brotli (id UInt64) ENGINE = Memory"))
	conn := open(address, clickhouse.CompressionBrotli)
	defer conn.Close()
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO go_brotli")
	must("brotli prepare", err)
	must("brotli append", batch.Append(uint64(1)))
	expect("brotli", codeOf(batch.Send()), int32(89))
	must("brotli drop", plain.Exec(ctx, "DROP TABLE go_brotli"))
	done("brotli", "refused with 89")
}

func main() {
	address := os.Args[1]
	if _, _, err := net.SplitHostPort(address); err != nil {
		must("usage: clickhouse_go HOST:PORT", err)
	}
	ctx := context.Background()
	methods := []struct {
		name   string
		method clickhouse.CompressionMethod
	}{
		{"none", clickhouse.CompressionNone}, {"lz4", clickhouse.CompressionLZ4}, {"zstd", clickhouse.CompressionZSTD},
		{"gzip", clickhouse.CompressionGZIP}, {"deflate", clickhouse.CompressionDeflate},
	}
	for _, each := range methods {
		roundTrip(ctx, address, each.name, each.method)
	}
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionGZIP} {
		conn := open(address, method)
		parameters(ctx, conn)
		settings(ctx, conn)
		exceptions(ctx, conn)
		asyncInsert(ctx, conn)
		must("drop", conn.Exec(ctx, "DROP TABLE go_async"))
		conn.Close()
	}
	refused(ctx, address)
}
