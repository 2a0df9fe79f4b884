package stac

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// item makes an Item of STAC 1.0 with assets, the fields of an object.
func item(assets string) string {
	return `{"type": "Feature", "stac_version": "1.0.0", "id": "wind-2000", "geometry": null,
		"properties": {"datetime": "2000-01-01T00:00:00Z", "storage:schemes": {
			"open": {"type": "aws-s3", "platform": "https://{bucket}.s3.{region}.amazonaws.com"},
			"paid": {"type": "aws-s3", "requester_pays": true},
			"own": {"type": "custom-s3", "platform": "https://objects.example"},
			"template": {"type": "custom-s3", "platform": "https://{bucket}.objects.example"}}},
		"links": [{"rel": "self", "href": "https://elsewhere.example/wind-2000.json"}], "assets": {` + assets + `}}`
}

// collection makes a Collection of STAC 1.1 with assets.
func collection(assets string) string {
	return `{"type": "Collection", "stac_version": "1.1.0", "id": "reanalysis", "description": "hourly fields", "license": "CC-BY-4.0",
		"extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["1959-01-01T00:00:00Z", null]]}},
		"item_assets": {"never": {"type": "application/vnd.zarr"}},
		"links": [{"rel": "item", "href": "./never.json"}], "assets": {` + assets + `}}`
}

const web = "https://catalog.example/v1/wind.json?sig=secret"

// TestChoose parses documents and chooses an asset, whose key and place are compared; or an error
// of each step, in part.
func TestChoose(t *testing.T) {
	const (
		zarr   = `"type": "application/vnd+zarr"`
		newer  = `"type": "application/vnd.zarr; version=3; profile=multiscales"`
		thumb  = `"thumbnail": {"href": "./look.png", "type": "image/png", "roles": ["thumbnail"]}`
		kwargs = `"xarray:open_kwargs": `
	)
	tests := []struct {
		name, doc, base, key string
		want                 string // KEY PLACE, with the endpoint and the group behind it
		err                  string
	}{
		{name: "old type", doc: item(`"z": {"href": "https://data.example/z.zarr", ` + zarr + `}, ` + thumb), want: "z https://data.example/z.zarr"},
		{name: "newer type", doc: collection(`"z": {"href": "gs://bucket/z.zarr", ` + newer + `, "roles": ["data"]}, ` + thumb), want: "z gs://bucket/z.zarr"},
		{name: "capitals", doc: item(`"z": {"href": "S3://bucket/z", "type": "Application/Vnd.Zarr;version=2"}`), want: "z S3://bucket/z"},
		{name: "oldest type", doc: item(`"z": {"href": "gcs://bucket/z", "type": "application/x-zarr"}`), want: "z gs://bucket/z"},
		{name: "field of the extension", doc: item(`"z": {"href": "z", "zarr:node_type": "group"}, ` + thumb), want: "z https://catalog.example/v1/z"},
		{name: "engine", doc: item(`"z": {"href": "z", "type": "application/octet-stream", ` + kwargs + `{"engine": "zarr", "chunks": {}}}`), want: "z https://catalog.example/v1/z"},
		{name: "role zarr", doc: item(`"z": {"href": "z", "roles": ["data", "zarr"]}`), want: "z https://catalog.example/v1/z"},
		{name: "name", doc: item(`"z": {"href": "z.ZARR/"}, "n": {"href": "n.nc"}`), want: "z https://catalog.example/v1/z.ZARR/"},
		{name: "zip", doc: item(`"z": {"href": "z.zarr.zip?v=1"}, "n": {"href": "n.nc"}`), want: "z https://catalog.example/v1/z.zarr.zip?v=1"},
		{name: "null fields", doc: item(`"z": {"href": "z", ` + zarr + `, "roles": null, "title": null, "zarr:consolidated": null, "xarray:open_kwargs": null}`), want: "z https://catalog.example/v1/z"},
		{name: "fields of other capitals", doc: item(`"z": {"href": "z", "HREF": "no", ` + zarr + `}`), want: "z https://catalog.example/v1/z"},
		{name: "byte order mark", doc: "\xef\xbb\xbf" + item(`"z": {"href": "z", `+zarr+`}`), want: "z https://catalog.example/v1/z"},
		{name: "group", doc: item(`"z": {"href": "z", ` + zarr + `, ` + kwargs + `{"group": "/surface/daily/"}}`), want: "z https://catalog.example/v1/z surface/daily"},

		{name: "relative to a URL", doc: item(`"z": {"href": "../data/z%20z.zarr", ` + zarr + `}`), want: "z https://catalog.example/data/z%20z.zarr"},
		{name: "server's path", doc: item(`"z": {"href": "/z.zarr?sig=1", ` + zarr + `}`), want: "z https://catalog.example/z.zarr?sig=1"},
		{name: "no way out of a server", doc: item(`"z": {"href": "../../../../z.zarr", ` + zarr + `}`), want: "z https://catalog.example/z.zarr"},
		{name: "other server", doc: item(`"z": {"href": "//data.example/z.zarr", ` + zarr + `}`), want: "z https://data.example/z.zarr"},
		{name: "relative to a bucket", base: "gs://bucket/a/b/item.json", doc: item(`"z": {"href": "../z 1%.zarr", ` + zarr + `}`), want: "z gs://bucket/a/z 1%.zarr"},
		{name: "no way out of a bucket", base: "s3://bucket/item.json", doc: item(`"z": {"href": "../../z.zarr", ` + zarr + `}`), want: "z s3://bucket/z.zarr"},
		{name: "bucket's path", base: "s3://bucket/a/item.json", doc: item(`"z": {"href": "/z.zarr", ` + zarr + `}`), want: "z s3://bucket/z.zarr"},
		{name: "relative to a path", base: "a/b/item.json", doc: item(`"z": {"href": "./../z.zarr", ` + zarr + `}`), want: "z a/z.zarr"},
		{name: "beside a path", base: "item.json", doc: item(`"z": {"href": "z.zarr", ` + zarr + `}`), want: "z z.zarr"},
		{name: "path", base: "item.json", doc: item(`"z": {"href": "/data/z.zarr", ` + zarr + `}`), want: "z /data/z.zarr"},
		{name: "file URL", base: "item.json", doc: item(`"z": {"href": "file:///data/z.zarr", ` + zarr + `}`), want: "z file:///data/z.zarr"},
		{name: "path that looks like a URL", base: "item.json", doc: item(`"z": {"href": "/a://b", ` + zarr + `}`), want: "z /a:/b"},
		{name: "file behind a server", doc: item(`"z": {"href": "file:///etc", ` + zarr + `}`), err: "names a local file"},
		{name: "plain text behind TLS", doc: item(`"z": {"href": "http://data.example/z.zarr", ` + zarr + `}`), err: "without encryption"},
		{name: "plain text behind a bucket", base: "gs://b/item.json", doc: item(`"z": {"href": "http://data.example/z.zarr", ` + zarr + `}`), err: "without encryption"},
		{name: "plain text", base: "http://catalog.example/item.json", doc: item(`"z": {"href": "http://data.example/z.zarr", ` + zarr + `}`), want: "z http://data.example/z.zarr"},
		{name: "fragment", doc: item(`"z": {"href": "https://data.example/z.zarr#x", ` + zarr + `}`), err: "a href with a fragment"},
		{name: "another document", base: "item.json", doc: item(`"z": {"href": "s3://b/z#asset=z", ` + zarr + `}`), err: "documents are not followed"},
		{name: "no href", doc: item(`"z": {` + zarr + `}`), err: "no href"},
		{name: "unknown scheme", doc: item(`"z": {"href": "abfs://container/z.zarr", ` + zarr + `}`), err: "scheme abfs: is not supported"},
		{name: "chained scheme", doc: item(`"z": {"href": "simplecache::s3://bucket/z.zarr", ` + zarr + `}`), err: "scheme simplecache: is not supported"},

		{name: "several", doc: item(`"u": {"href": "https://data.example/u.zarr?sig=secret", ` + zarr + `}, "v": {"href": "v.zarr", ` + newer + `}, ` + thumb),
			err: "STAC Item \"wind-2000\": 2 Zarr assets: choose one by its key, as in #asset=u\n" +
				"  \"u\" (application/vnd+zarr) https://data.example/u.zarr?...\n" +
				"  \"v\" (application/vnd.zarr; version=3; profile=multiscales) v.zarr\n" +
				"  \"thumbnail\" (image/png) ./look.png"},
		{name: "escaped example", doc: item(`"u 1#": {"href": "u", ` + zarr + `}, "v": {"href": "v", ` + newer + `}`), err: "#asset=u%201%23\n"},
		{name: "one of several", key: "v", doc: item(`"u": {"href": "u", ` + zarr + `}, "v": {"href": "v", ` + zarr + `}`), want: "v https://catalog.example/v1/v"},
		{name: "one with data", doc: item(`"m": {"href": "m", ` + zarr + `, "roles": ["metadata"]}, "v": {"href": "v", ` + zarr + `, "roles": ["data"]}`), want: "v https://catalog.example/v1/v"},
		{name: "two with data", doc: item(`"m": {"href": "m", ` + zarr + `, "roles": ["data"]}, "v": {"href": "v", ` + zarr + `, "roles": ["data"]}`), err: "2 Zarr assets"},
		{name: "one within reach", doc: collection(`"zarr-abfs": {"href": "abfs://c/z.zarr", ` + zarr + `, "roles": ["data"]}, "zarr-https": {"href": "https://blob.example/c/z.zarr", ` + zarr + `, "roles": ["data"]}`),
			want: "zarr-https https://blob.example/c/z.zarr"},
		{name: "none", doc: item(thumb), err: "no Zarr asset\n  \"thumbnail\" (image/png) ./look.png"},
		{name: "no assets", doc: item(``), err: "it has no assets"},
		{name: "an Item's properties are no assets", doc: `{"type": "Collection", "stac_version": "1.0.0", "id": "x"}`, err: `STAC Collection "x": it has no assets`},
		{name: "unknown key", key: "w", doc: item(thumb), err: "no asset \"w\"\n  \"thumbnail\""},
		{name: "another type", key: "thumbnail", doc: item(thumb), err: `asset "thumbnail" is no Zarr store`},
		{name: "no type", key: "store", doc: item(`"store": {"href": "store"}, "z": {"href": "z", ` + zarr + `}`), want: "store https://catalog.example/v1/store"},
		{name: "refused key", key: "z", doc: item(`"z": {"href": "abfs://c/z", ` + zarr + `}`), err: `asset "z": scheme abfs: is not supported`},
		{name: "control characters", doc: item(`"a\u001b[2J": {"href": "a\u001b]0;", "type": "x\u0007"}`), err: `"a\x1b[2J" (x\a) a\x1b]0;`},

		{name: "references", doc: item(`"r": {"href": "r.json", "type": "application/json", "roles": ["index"], "zarr:consolidated": false}`), err: "kerchunk"},
		{name: "references by role", doc: item(`"r": {"href": "r", "type": "application/json", "roles": ["references"]}`), err: "virtual: references"},
		{name: "references by engine", doc: item(`"r": {"href": "r", "type": "application/json", ` + kwargs + `{"engine": "kerchunk"}}`), err: "virtual: references"},
		{name: "references as Zarr", doc: item(`"r": {"href": "s3://b/r.parq", ` + zarr + `}`), err: "virtual: references"},
		{name: "references by scheme", doc: item(`"r": {"href": "reference://", ` + zarr + `}`), err: "virtual: references"},
		{name: "icechunk", doc: item(`"r": {"href": "s3://b/r", "type": "application/vnd.zarr+icechunk"}`), err: "virtual: references"},
		{name: "references beside a store", doc: item(`"r": {"href": "r.json", "type": "application/json", "roles": ["index"]}, "z": {"href": "z", ` + zarr + `}`), want: "z https://catalog.example/v1/z"},
		{name: "references by key", key: "r", doc: item(`"r": {"href": "r.json", "type": "application/json", "roles": ["index"]}`), err: `asset "r": virtual: references`},

		{name: "alternate", doc: item(`"z": {"href": "abfs://c/z", ` + zarr + `, "alternate": {"a": {"href": "wasb://z"}, "s3": {"href": "s3://bucket/z.zarr", "alternate:name": "AWS"}}}`), want: "z s3://bucket/z.zarr"},
		{name: "alternate not needed", doc: item(`"z": {"href": "s3://bucket/z", ` + zarr + `, "alternate": {"https": {"href": "https://bucket.example/z"}}}`), want: "z s3://bucket/z"},
		{name: "alternate with credentials", doc: item(`"z": {"href": "abfs://c/z", ` + zarr + `, "alternate": {"s3": {"href": "s3://b/z", "storage:requester_pays": true}}}`), err: "scheme abfs: is not supported"},
		{name: "alternate without", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "storage:requester_pays": true, "alternate": {"public": {"href": "https://b.example/z"}}}`), want: "z https://b.example/z"},

		{name: "anonymous", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "xarray:storage_options": {"anon": true, "token": "anon", "requester_pays": false}, "storage:requester_pays": false, "storage:refs": ["open", "unknown"]}`), want: "z s3://b/z"},
		{name: "endpoint", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, ` + kwargs + `{"storage_options": {"client_kwargs": {"endpoint_url": "https://objects.example"}}}}`), want: "z s3://b/z https://objects.example"},
		{name: "endpoint beside it", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "xarray:storage_options": {"endpoint_url": "https://objects.example"}}`), want: "z s3://b/z https://objects.example"},
		{name: "plain endpoint", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "xarray:storage_options": {"endpoint_url": "http://objects.example"}}`), err: "without encryption"},
		{name: "own platform", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "storage:refs": ["own"]}`), want: "z s3://b/z https://objects.example"},
		{name: "template", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "storage:refs": ["template"]}`), err: "is a template"},
		{name: "paid", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "storage:refs": ["paid"]}`), err: "needs credentials (requester_pays in storage:schemes)"},
		{name: "not anonymous", doc: item(`"z": {"href": "s3://b/z", ` + zarr + `, "xarray:storage_options": {"anon": false}}`), err: "needs credentials (storage option anon: false)"},
		{name: "token", doc: item(`"z": {"href": "gs://b/z", ` + zarr + `, "xarray:storage_options": {"token": {"a": 1}}}`), err: "needs credentials (storage option token)"},
		{name: "options of another service", doc: item(`"z": {"href": "https://a.example/z", ` + zarr + `, "xarray:storage_options": {"account_name": "a", "key": "k"}}`), want: "z https://a.example/z"},

		{name: "catalog", doc: `{"type": "Catalog", "stac_version": "1.0.0", "id": "x", "links": []}`, err: "a STAC Catalog, which has no assets"},
		{name: "search", doc: `{"type": "FeatureCollection", "features": []}`, err: "a list of STAC Items"},
		{name: "GeoJSON", doc: `{"type": "Feature", "properties": {}}`, err: "no stac_version"},
		{name: "Zarr", doc: `{"zarr_format": 3, "node_type": "group"}`, err: "want the directory that it is in"},
		{name: "kerchunk", doc: `{"version": 1, "refs": {}}`, err: "a file of references (kerchunk)"},
		{name: "version", doc: `{"type": "Feature", "stac_version": "0.9.0"}`, err: `stac_version "0.9.0": want 1.0 or 1.1`},
		{name: "type", doc: `{"type": "Thing", "stac_version": "1.0.0"}`, err: `STAC type "Thing"`},
		{name: "page", doc: " <!doctype html><title>Sign in</title>", err: "found HTML or XML"},
		{name: "empty", doc: " \n", err: "found an empty one"},
		{name: "list", doc: `[1]`, err: "want a STAC document: want a JSON object, found "},
		{name: "null", doc: `null`, err: "want a STAC document: want a JSON object, found "},
		{name: "truncated", doc: item(`"z": {"href": "z", ` + zarr + `}`)[:300], err: "unexpected end of JSON"},
		{name: "two documents", doc: item("") + item(""), err: "after top-level value"},
		{name: "deep", doc: `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", err: "exceeded max depth"},
		{name: "assets", doc: `{"type": "Feature", "stac_version": "1.0.0", "assets": []}`, err: "assets: want an object, found []"},
		{name: "asset", doc: item(`"z": 1`), err: "z: want an object, found 1"},
		{name: "href", doc: item(`"z": {"href": ["z"]}`), err: `asset "z": href: want a string, found ["z"]`},
		{name: "roles", doc: item(`"z": {"href": "z", "roles": "data"}`), err: `asset "z": roles: want a list of strings, found "data"`},
		{name: "consolidated", doc: item(`"z": {"href": "z", "zarr:consolidated": "yes"}`), err: `asset "z": zarr:consolidated: want a boolean, found "yes"`},
		{name: "format", doc: item(`"z": {"href": "z", "zarr:zarr_format": 2.5}`), err: `zarr:zarr_format: want an integer`},
		{name: "kwargs", doc: item(`"z": {"href": "z", "xarray:open_kwargs": []}`), err: `xarray:open_kwargs: want an object`},
		{name: "alternates", doc: item(`"z": {"href": "abfs://z", "alternate": {"s3": {"href": 1}}}`), err: `asset "z": alternate "s3": href: want a string`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := tt.base
			if base == "" {
				base = web
			}
			d, err := Parse([]byte(tt.doc), base)
			var a *Asset
			if err == nil {
				a, err = d.Choose(tt.key)
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("asset %+v, error %v, want %q", a, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(strings.Fields(a.Key+" "+a.Place+" "+a.Endpoint+" "+a.Group), " ")
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestHints compares what documents say of a store.
func TestHints(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		fields       string
		consolidated *bool
		format       int
		node         string
	}{
		{``, nil, 0, ""},
		{`"type": "application/vnd.zarr; version=2"`, nil, 2, ""},
		{`"type": "application/vnd.zarr; version=2", "zarr:zarr_format": 3, "zarr:node_type": "array"`, nil, 3, "array"},
		{`"type": "application/vnd+zarr; version", "zarr:consolidated": true`, &yes, 0, ""},
		{`"xarray:open_kwargs": {"consolidated": true}`, &yes, 0, ""},
		{`"xarray:open_kwargs": {"consolidated": true}, "zarr:consolidated": false`, &no, 0, ""},
	}
	for _, tt := range tests {
		doc := item(strings.TrimSuffix(`"z": {"href": "z.zarr", "title": "Wind", `+tt.fields, ", ") + "}")
		d, err := Parse([]byte(doc), web)
		if err != nil {
			t.Errorf("%s: %v", tt.fields, err)
			continue
		}
		a, err := d.Choose("z")
		if err != nil {
			t.Errorf("%s: %v", tt.fields, err)
			continue
		}
		same := a.Consolidated == nil && tt.consolidated == nil || a.Consolidated != nil && tt.consolidated != nil && *a.Consolidated == *tt.consolidated
		if !same || a.Format != tt.format || a.NodeType != tt.node || a.Title != "Wind" || a.Href != "z.zarr" {
			t.Errorf("%s: %+v, want %+v", tt.fields, *a, tt)
		}
	}
}

// TestLimits gives documents that are too large, and errors that stay short.
func TestLimits(t *testing.T) {
	if _, err := Parse(make([]byte, MaxSize+1), web); err == nil || !strings.Contains(err.Error(), "more than the limit") {
		t.Errorf("a document of MaxSize+1 bytes: %v", err)
	}
	var many strings.Builder
	for i := range maxAssets + 1 {
		fmt.Fprintf(&many, `"%d": {"href": "z", "type": "application/vnd.zarr"},`, i)
	}
	doc := item(strings.TrimSuffix(many.String(), ","))
	if _, err := Parse([]byte(doc), web); err == nil || !strings.Contains(err.Error(), "assets: 10001, more than the limit of 10000") {
		t.Errorf("too many assets: %v", err)
	}
	long := strings.Repeat("ü", 1<<20)
	for _, doc := range []string{
		item(`"z": {"href": "` + long + `"}`),
		strings.ReplaceAll(item(`"`+long+`": {"href": "z", "type": "`+long+`"}`), "wind-2000", long),
		item(`"` + long + `": {"href": ["` + long + `"]}`),
		`{"type": "Feature", "stac_version": "` + long + `"}`,
	} {
		d, err := Parse([]byte(doc), web)
		if err == nil {
			_, err = d.Choose("")
		}
		if err == nil || len(err.Error()) > 4000 || !strings.Contains(err.Error(), "...") && !strings.Contains(err.Error(), "more") {
			t.Errorf("an error of %.1000v", err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for doc, want := range map[string]bool{
		`"z": {"href": "abfs://c/z", "type": "application/vnd+zarr"}`: true,
		`"z": {"href": "z.png", "type": "image/png"}`:                 false,
		`"u": {"href": "u.zarr"}, "v": {"href": "v.zarr"}`:            false,
	} {
		d, err := Parse([]byte(item(doc)), web)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Choose("")
		if e, ok := errors.AsType[*ChoiceError](err); !ok || len(e.Document.Assets) == 0 || errors.Is(err, errors.ErrUnsupported) != want {
			t.Errorf("%s: %v, want a ChoiceError that is ErrUnsupported: %v", doc, err, want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		place, document, key string
		found                bool
	}{
		{"item.json", "item.json", "", true},
		{"a/ITEM.GeoJSON", "a/ITEM.GeoJSON", "", true},
		{"https://host/item.json?sig=1", "https://host/item.json?sig=1", "", true},
		{"https://host/items/x?sig=1#asset", "https://host/items/x?sig=1", "", true},
		{"https://host/items/x#asset=zarr%2Fhttps", "https://host/items/x", "zarr/https", true},
		{"item.json#asset=100%", "item.json", "100%", true},
		{"item.json#asset=a=b", "item.json", "a=b", true},
		{"a#b.json#asset=c", "a#b.json", "c", true},
		{"store.zarr", "store.zarr", "", false},
		{"https://host/store.zarr?f=item.json", "https://host/store.zarr?f=item.json", "", false},
		{"gs://bucket/a?b.json", "gs://bucket/a?b.json", "", true},
		{"https://host/item.json/", "https://host/item.json/", "", false},
		{"store#assets", "store#assets", "", false},
		{"item.json#x", "item.json#x", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		if document, key, found := Cut(tt.place); document != tt.document || key != tt.key || found != tt.found {
			t.Errorf("Cut(%q) = %q, %q, %v, want %q, %q, %v", tt.place, document, key, found, tt.document, tt.key, tt.found)
		}
	}
}

// FuzzDocument holds the promises that opening the place relies on.
func FuzzDocument(f *testing.F) {
	for _, doc := range []string{
		item(`"z": {"href": "z.zarr", "type": "application/vnd+zarr", "xarray:open_kwargs": {"consolidated": true, "group": "a"}}`),
		collection(`"z": {"href": "abfs://c/z", "type": "application/vnd.zarr; version=3", "alternate": {"s3": {"href": "s3://b/z"}}}`),
		item(`"z": {"href": "s3://b/z", "zarr:zarr_format": 2, "storage:refs": ["own"], "xarray:storage_options": {"anon": true}}`),
		item(`"u": {"href": "../u.zarr"}, "v": {"href": "file:///v.zarr"}, "r": {"href": "r.json", "roles": ["index"]}`),
		`<html>`, `{"type": "Catalog", "stac_version": "1.0.0"}`, "",
	} {
		for _, base := range []string{web, "http://host/item", "gs://bucket/a/item.json", "a/item.json", "/item.json"} {
			f.Add([]byte(doc), base, "")
		}
		f.Add([]byte(doc), web, "z")
	}
	f.Fuzz(func(t *testing.T, doc []byte, base, key string) {
		d, err := Parse(doc, base)
		if err != nil {
			return
		}
		a, err := d.Choose(key)
		if err != nil {
			if e, ok := errors.AsType[*ChoiceError](err); !ok || a != nil || len(e.Error()) > 100_000 {
				t.Errorf("asset %+v, error %v", a, err)
			}
			return
		}
		if key != "" && a.Key != key || a.Refused != "" || a.Place == "" {
			t.Errorf("chose %+v by the key %q", *a, key)
		}
		if _, _, again := Cut(a.Place); again {
			t.Errorf("%q is a document once more", a.Place)
		}
		from, to := schemeOf(base), schemeOf(a.Place)
		if strings.Contains(a.Place, "://") && to != "http" && to != "https" && to != "gs" && to != "s3" && to != "file" {
			t.Errorf("%q from %q: scheme %q", a.Place, base, to)
		}
		if from != "" && (to == "" || to == "file") {
			t.Errorf("%q leads to the local %q", base, a.Place)
		}
		if from != "" && from != "http" && (to == "http" || schemeOf(a.Endpoint) == "http") {
			t.Errorf("%q leads to %q on %q, without encryption", base, a.Place, a.Endpoint)
		}
	})
}
