package coordinator

import "context"

// Count answers how many documents match the query of a search.
func (s *Service) Count(ctx context.Context, req *SearchRequest) (*SearchResult, error) {
	req.CountOnly = true
	req.Source.Size, req.Source.TrackTotal = 0, TrackAll
	return s.Search(ctx, req)
}
