package codec_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"zarrbench/zarrio/codec"
)

// A known answer is what the software that a codec comes from decodes.
type known struct {
	ID      string
	Config  json.RawMessage
	Format  int
	Type    string
	Encoded hexBytes
	Decoded hexBytes
	Fails   bool // some element can't be decoded
}

type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func (k *known) decoder(tb testing.TB) codec.Decoder {
	tb.Helper()
	dec, err := codec.New(k.ID, k.Config, codec.Options{Format: k.Format, Type: k.Type})
	if err != nil {
		tb.Fatalf("%s %s: %v", k.ID, k.Config, err)
	}
	return dec
}

// knownAnswers reads testdata/known.jsonl.
func knownAnswers(tb testing.TB) []known {
	tb.Helper()
	name := filepath.Join("testdata", "known.jsonl")
	if e := os.Getenv("KNOWN"); e != "" {
		name = e
	}
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []known
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 10<<20)
	for lines.Scan() {
		var k known
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
			tb.Fatal(err)
		}
		all = append(all, k)
	}
	return all
}

func TestKnown(t *testing.T) {
	var s codec.Scratch
	for _, k := range knownAnswers(t) {
		dec := k.decoder(t)
		n := len(k.Decoded)
		if k.Fails {
			size := int(k.Type[2] - '0')
			for n = size; ; n += size {
				m, err := dec.(codec.Fixed).EncodedLen(n)
				if err != nil {
					t.Fatal(err)
				}
				if m >= len(k.Encoded) {
					break
				}
			}
		}
		got := make([]byte, n)
		err := dec.Decode(got, k.Encoded, &s)
		switch {
		case k.Fails && err == nil:
			t.Errorf("%s %s to %q: no error", k.ID, k.Config, k.Type)
		case !k.Fails && err != nil:
			t.Errorf("%s %s to %q: %v", k.ID, k.Config, k.Type, err)
		case !k.Fails && !bytes.Equal(got, k.Decoded):
			i := 0
			for got[i] == k.Decoded[i] {
				i++
			}
			i = max(0, i&^7)
			t.Errorf("%s %s to %q: at byte %d\n got %x\nwant %x\n src %x", k.ID, k.Config, k.Type, i, got[i:min(i+32, n)], k.Decoded[i:min(i+32, n)], k.Encoded[:min(64, len(k.Encoded))])
		}
	}
}
