package mapping

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/lucene"
)

// numberType is one of the numeric field types.
type numberType struct {
	name     string
	kind     Kind
	min, max int64 // of whole numbers
	bytes    int32 // of a point
}

var numberTypes = []*numberType{
	{name: "byte", kind: KindInteger, min: math.MinInt8, max: math.MaxInt8, bytes: 4},
	{name: "short", kind: KindInteger, min: math.MinInt16, max: math.MaxInt16, bytes: 4},
	{name: "integer", kind: KindInteger, min: math.MinInt32, max: math.MaxInt32, bytes: 4},
	{name: "long", kind: KindLong, min: math.MinInt64, max: math.MaxInt64, bytes: 8},
	{name: "unsigned_long", kind: KindUnsignedLong, bytes: 16},
	{name: "half_float", kind: KindHalfFloat, bytes: 2},
	{name: "float", kind: KindFloat, bytes: 4},
	{name: "double", kind: KindDouble, bytes: 8},
	{name: "scaled_float", kind: KindScaledFloat, bytes: 8},
}

func (n *numberType) article() string {
	if n.name == "integer" || n.name == "unsigned_long" {
		return "an " + n.name
	}
	return "a " + n.name
}

// numberSchema is the schema of all numeric types; see docs/formats/field-encodings.md.
func numberSchema(f *Field, bytes int32) *lucene.FieldType {
	ft := &lucene.FieldType{}
	if f.searchable {
		ft.PointDims, ft.PointIndexDims, ft.PointBytes = 1, 1, bytes
	}
	if f.docValues {
		ft.DocValuesType = lucene.DocValuesSortedNumeric
	}
	return ft
}

func numberTypeDef(n *numberType) *typeDef {
	nullValue := &param{name: "null_value", nullable: true, def: constant(nil), parse: func(_ *parseContext, f *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return n.parseNull(javaValue(v))
	}}
	d := &typeDef{name: n.name, kind: n.kind,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false),
			explicitParam("ignore_malformed", ignoreMalformedDefault), explicitParam("coerce", coerceDefault), nullValue, metaParam()},
		resolve: func(f *Field) error {
			f.schema = numberSchema(f, n.bytes)
			f.nullValue = f.get("null_value")
			return nil
		},
		parse: func(d *docParser, f *Field) error { return n.parse(d, f) },
	}
	if n.kind == KindScaledFloat {
		factor := &param{name: "scaling_factor", nullable: true, def: constant(nil), parse: func(_ *parseContext, _ *Field, v any) (any, error) {
			f, err := nodeFloat(v)
			return javaNumber{f, 64}, err
		}, valid: func(f *Field, v any) error {
			x, ok := v.(javaNumber)
			if !ok {
				return apierr.IllegalArgument("Field [scaling_factor] is required")
			}
			if !(x.v > 0) || math.IsInf(x.v, 0) {
				return apierr.IllegalArgument("[scaling_factor] must be a positive number, got [%s]", x)
			}
			return nil
		}}
		d.params = append(d.params[:4:4], factor, explicitParam("coerce", coerceDefault), nullValue, metaParam())
		resolve := d.resolve
		d.resolve = func(f *Field) error {
			x, _ := f.get("scaling_factor").(javaNumber)
			f.scaling = x.v
			return resolve(f)
		}
	}
	return d
}

// parseNull reads a null_value: it prints as Java prints the number that it becomes.
func (n *numberType) parseNull(s string) (any, error) {
	switch n.kind {
	case KindUnsignedLong:
		if _, err := parseJavaDouble(s, 64); err != nil {
			return nil, err
		}
		u, err := stringToULong(s, false)
		return json.Number(strconv.FormatUint(u, 10)), err
	case KindInteger, KindLong:
		v, err := n.whole(s, false)
		return json.Number(strconv.FormatInt(v, 10)), err
	}
	bits := 64
	if n.kind == KindFloat || n.kind == KindHalfFloat {
		bits = 32
	}
	f, err := parseJavaDouble(s, bits)
	if err == nil {
		err = n.finite(f)
	}
	return javaNumber{f, bits}, err
}

// whole reads a whole number that a mapping or a query gives as text.
func (n *numberType) whole(s string, coerce bool) (int64, error) {
	f, err := parseJavaDouble(s, 64)
	if err != nil {
		return 0, err
	}
	if n.kind == KindLong {
		return stringToLong(s, coerce)
	}
	if f < float64(n.min) || f > float64(n.max) {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for %s", s, n.article())
	}
	if !coerce && f != math.Trunc(f) {
		return 0, apierr.IllegalArgument("Value [%s] has a decimal part", s)
	}
	return int64(f), nil
}

// finite refuses what the type cannot hold.
func (n *numberType) finite(f float64) error {
	bad := math.IsNaN(f) || math.IsInf(f, 0)
	text := javaDouble(f)
	switch n.kind {
	case KindFloat:
		bad = bad || math.IsInf(float64(float32(f)), 0)
		text = javavalue.Float(float64(float32(f)), 32)
	case KindHalfFloat:
		h := sortableToHalf(halfToSortable(float32(f)))
		bad = bad || math.IsInf(float64(h), 0)
		text = javavalue.Float(float64(float32(f)), 32)
	case KindScaledFloat:
		if bad {
			return apierr.IllegalArgument("[scaled_float] only supports finite values, but got [%s]", text)
		}
	}
	if bad {
		return apierr.IllegalArgument("[%s] supports only finite values, but got [%s]", n.name, text)
	}
	return nil
}

var bigClass = map[string]string{"byte": "Integer", "short": "Short", "integer": "Integer", "long": "Long", "unsigned_long": "Long", "float": "Float",
	"half_float": "Float", "double": "Double", "scaled_float": "Double"}

// integerToken reads the current token as a whole number.
func (n *numberType) integerToken(p *jsonParser, coerce bool) (int64, error) {
	lo, hi, kind := n.min, n.max, n.name
	if n.name == "byte" {
		lo, hi, kind = math.MinInt32, math.MaxInt32, "integer" // the parser knows no bytes
	}
	var v int64
	switch {
	case p.kind == tokString:
		if !coerce {
			return 0, apierr.IllegalArgument("%s value passed as String", bigClass[n.name])
		}
		s := string(p.text)
		if n.kind == KindLong {
			return stringToLong(s, coerce)
		}
		f, err := parseJavaDouble(s, 64)
		if err != nil {
			return 0, err
		}
		if f < float64(lo) || f > float64(hi) {
			article := "a "
			if kind == "integer" {
				article = "an "
			}
			return 0, apierr.IllegalArgument("Value [%s] is out of range for %s%s", s, article, kind)
		}
		v = int64(f)
	case p.kind == tokNumber && !p.isFloat():
		i, err := strconv.ParseInt(string(p.text), 10, 64)
		if err != nil || i < lo || i > hi {
			return 0, coercion(p, kind)
		}
		v = i
	case p.kind == tokNumber:
		f := p.double()
		if f < float64(lo) || f >= float64(hi)+1 || math.IsNaN(f) {
			return 0, coercion(p, kind)
		}
		v = int64(f)
		if !coerce && float64(v) != f {
			return 0, apierr.IllegalArgument("%s cannot be converted to %s without data loss", javaDouble(f), bigClass[n.name])
		}
	default:
		return 0, notANumber(p, bigClass[n.name])
	}
	if n.name == "byte" && (v < n.min || v > n.max) {
		return 0, apierr.IllegalArgument("Value [%d] is out of range for a byte", v)
	}
	return v, nil
}

func coercion(p *jsonParser, kind string) error {
	switch kind {
	case "long":
		return apierr.New(400, "input_coercion_exception", "Numeric value (%s) out of range of long (-9223372036854775808 - 9223372036854775807)", p.text)
	case "short":
		return apierr.New(400, "input_coercion_exception", "Numeric value (%s) out of range of Java short", p.text)
	}
	return apierr.New(400, "input_coercion_exception", "Numeric value (%s) out of range of int (-2147483648 - 2147483647)", p.text)
}

func notANumber(p *jsonParser, class string) error {
	return apierr.New(400, "json_parse_exception", "Current token (%s) not numeric, can not use numeric value accessors", p.tokenName())
}

// floatToken reads the current token as a floating point number.
func (n *numberType) floatToken(p *jsonParser, coerce bool) (float64, error) {
	bits := 64
	if n.kind == KindFloat || n.kind == KindHalfFloat {
		bits = 32
	}
	switch p.kind {
	case tokString:
		if !coerce {
			return 0, apierr.IllegalArgument("%s value passed as String", bigClass[n.name])
		}
		return parseJavaDouble(string(p.text), bits)
	case tokNumber:
		f, err := strconv.ParseFloat(string(p.text), bits)
		if err != nil && !math.IsInf(f, 0) {
			return 0, notANumber(p, bigClass[n.name])
		}
		return f, nil
	}
	return 0, notANumber(p, bigClass[n.name])
}

// parse adds the current token of the document.
func (n *numberType) parse(d *docParser, f *Field) error {
	p := &d.json
	coerce := f.bool("coerce")
	if p.kind == tokNull || coerce && p.kind == tokString && len(p.text) == 0 {
		if f.nullValue == nil {
			return nil
		}
		return n.addText(d, f, javaValue(f.nullValue))
	}
	err := n.addToken(d, f, coerce)
	if err != nil && f.bool("ignore_malformed") && p.kind.isValue() {
		if n.kind != KindScaledFloat { // which OpenSearch leaves out without a note
			d.ignored(f.name)
		}
		return nil
	}
	return err
}

func (n *numberType) addToken(d *docParser, f *Field, coerce bool) error {
	p := &d.json
	switch n.kind {
	case KindInteger, KindLong:
		v, err := n.integerToken(p, coerce)
		if err != nil {
			return err
		}
		n.addWhole(d, f, v)
	case KindUnsignedLong:
		if p.kind == tokString && !coerce {
			return apierr.IllegalArgument("Long value passed as String")
		}
		if p.kind != tokString && p.kind != tokNumber {
			return notANumber(p, "Long")
		}
		u, err := stringToULong(string(p.text), coerce)
		if err != nil {
			return err
		}
		n.addUnsigned(d, f, u)
	default:
		v, err := n.floatToken(p, coerce)
		if err == nil {
			err = n.finite(v)
		}
		if err != nil {
			return err
		}
		n.addFloat(d, f, v)
	}
	return nil
}

// addText adds a value that is known to be right.
func (n *numberType) addText(d *docParser, f *Field, s string) error {
	switch n.kind {
	case KindInteger, KindLong:
		v, err := n.whole(s, true)
		if err != nil {
			return err
		}
		n.addWhole(d, f, v)
	case KindUnsignedLong:
		u, err := stringToULong(s, true)
		if err != nil {
			return err
		}
		n.addUnsigned(d, f, u)
	default:
		v, err := parseJavaDouble(s, 64)
		if err != nil {
			return err
		}
		n.addFloat(d, f, v)
	}
	return nil
}

func (n *numberType) addWhole(d *docParser, f *Field, v int64) {
	if n.kind == KindInteger {
		d.number(f, v, intPoint(int32(v)), lucene.StoredValue{Kind: lucene.StoredInt, Num: v})
		return
	}
	d.number(f, v, longPoint(v), lucene.StoredValue{Kind: lucene.StoredLong, Num: v})
}

func (n *numberType) addUnsigned(d *docParser, f *Field, u uint64) {
	d.number(f, int64(u), unsignedPoint(u), lucene.StoredValue{Kind: lucene.StoredString, Bytes: strconv.AppendUint(nil, u, 10)})
}

func (n *numberType) addFloat(d *docParser, f *Field, v float64) {
	switch n.kind {
	case KindHalfFloat:
		s := halfToSortable(float32(v))
		d.number(f, int64(s), binary.BigEndian.AppendUint16(nil, uint16(s)^0x8000),
			lucene.StoredValue{Kind: lucene.StoredFloat, Num: int64(math.Float32bits(float32(v)))})
	case KindFloat:
		s := floatToSortable(float32(v))
		d.number(f, int64(s), intPoint(s), lucene.StoredValue{Kind: lucene.StoredFloat, Num: int64(math.Float32bits(float32(v)))})
	case KindDouble:
		s := doubleToSortable(v)
		d.number(f, s, longPoint(s), lucene.StoredValue{Kind: lucene.StoredDouble, Num: int64(math.Float64bits(v))})
	case KindScaledFloat:
		s := javaRound(v * f.scaling)
		d.number(f, s, longPoint(s), lucene.StoredValue{Kind: lucene.StoredLong, Num: s})
	}
}

// Points: big-endian, with the sign bit flipped so that bytes sort as the numbers.

func intPoint(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)^0x80000000) }

func longPoint(v int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(v)^0x8000000000000000)
}

func unsignedPoint(u uint64) []byte {
	b := make([]byte, 16)
	b[0] = 0x80
	binary.BigEndian.PutUint64(b[8:], u)
	return b
}

// number adds one value of a numeric field.
func (d *docParser) number(f *Field, num int64, point []byte, stored lucene.StoredValue) {
	if f.stillEmpty() {
		return
	}
	lf := lucene.Field{Name: f.name, Type: f.schema, Num: num}
	if f.searchable {
		lf.Point = point
	}
	if f.stored {
		lf.Stored = stored
	}
	d.add(lf)
	if !f.docValues {
		d.fieldName(f)
	}
}

func booleanType() *typeDef {
	nullValue := &param{name: "null_value", nullable: true, def: constant(nil), parse: func(_ *parseContext, _ *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return nodeBool(v)
	}}
	return &typeDef{name: "boolean", kind: KindBoolean,
		params: []*param{metaParam(), boostParam(), boolParam("doc_values", false, true), boolParam("index", false, true), nullValue, boolParam("store", false, false)},
		resolve: func(f *Field) error {
			ft := &lucene.FieldType{OmitNorms: true}
			if f.searchable {
				ft.IndexOptions = lucene.IndexDocs
			}
			if f.docValues {
				ft.DocValuesType = lucene.DocValuesSortedNumeric
			}
			f.schema = ft
			f.nullValue = f.get("null_value")
			return nil
		},
		parse: parseBoolean}
}

func parseBoolean(d *docParser, f *Field) error {
	if f.stillEmpty() {
		return nil
	}
	var v bool
	switch p := &d.json; p.kind {
	case tokNull:
		b, ok := f.nullValue.(bool)
		if !ok {
			return nil
		}
		v = b
	case tokTrue, tokFalse:
		v = p.kind == tokTrue
	case tokString:
		switch string(p.text) {
		case "true":
			v = true
		case "false", "":
			v = false
		default:
			return apierr.IllegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", p.text)
		}
	default:
		return p.fail("Current token (%s) not of boolean type", p.tokenName())
	}
	term, num := "F", int64(0)
	if v {
		term, num = "T", 1
	}
	lf := lucene.Field{Name: f.name, Type: f.schema, Term: []byte(term), Num: num}
	if f.stored {
		lf.Stored = lucene.StoredValue{Kind: lucene.StoredString, Bytes: lf.Term}
	}
	d.add(lf)
	if !f.docValues {
		d.fieldName(f)
	}
	return nil
}

func binaryType() *typeDef {
	return &typeDef{name: "binary", kind: KindBinary,
		params: []*param{metaParam(), boolParam("store", false, false), boolParam("doc_values", false, false)},
		resolve: func(f *Field) error {
			ft := &lucene.FieldType{}
			if f.docValues {
				ft.DocValuesType = lucene.DocValuesBinary
			}
			f.schema = ft
			return nil
		},
		parse: parseBinary}
}
